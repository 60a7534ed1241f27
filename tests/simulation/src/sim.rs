//! The shared state of a run: randomness, faults and the trace; and [`Caller::call`], the only way by which a
//! function calls its dependencies.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::channel::oneshot;
use jiff::{SignedDuration, Timestamp};
use platform::{Clock, lock};
use uuid::Uuid;

use crate::faults::{Fault, FaultRates, Plan, Window};
use crate::scheduler::Scheduler;

/// The start time of every run: 2026-01-05 09:00 UTC.
const BEGIN: i64 = 1_767_603_600;
/// The latency of a call if nothing is random.
const USUAL_LATENCY: Duration = Duration::from_millis(3);

/// The shared state of a run.
pub struct Sim {
    /// The executor of the run.
    pub scheduler: Scheduler,
    state: Mutex<State>,
}

struct State {
    rng: fastrand::Rng,
    /// The faults of the run, and those that occur at the moment.
    setup: Plan,
    plan: Plan,
    calls: Vec<Call>,
    invocations: u64,
    disturbed_until: Duration,
    trace: Option<Vec<String>>,
}

/// A call of a function or a client to a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// The binary name of the function, or the name of the client.
    pub caller: &'static str,
    /// The dependency and its operation, such as `provider.confirm`.
    pub name: &'static str,
}

/// A call that failed or got no response.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CallFailed(&'static str);

impl Sim {
    /// Creates a run with this seed and these faults. With `trace`, a trace is recorded.
    pub fn new(seed: u64, plan: Plan, trace: bool) -> Arc<Self> {
        let rng = fastrand::Rng::with_seed(seed);
        let state = State {
            rng,
            setup: plan.clone(),
            plan,
            calls: Vec::new(),
            invocations: 0,
            disturbed_until: Duration::ZERO,
            trace: trace.then(Vec::new),
        };
        Arc::new(Self { scheduler: Scheduler::default(), state: Mutex::new(state) })
    }

    /// Draws from the random number generator.
    pub fn random<T>(&self, ask: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        ask(&mut lock(&self.state).rng)
    }

    /// The fault probabilities, if the faults are random.
    pub fn rates(&self) -> Option<FaultRates> {
        match lock(&self.state).plan {
            Plan::Random(rates) => Some(rates),
            Plan::NoFaults | Plan::During(_) | Plan::At(_) => None,
        }
    }

    /// Decides at random whether the fault whose probability `rate` selects occurs now.
    pub fn should_inject(&self, rate: impl FnOnce(&FaultRates) -> f64) -> bool {
        let mut state = lock(&self.state);
        let Plan::Random(rates) = state.plan else { return false };
        let rate = rate(&rates);
        let occurs = rate > 0.0 && state.rng.f64() < rate;
        drop(state);
        if occurs {
            self.disturb(Duration::ZERO);
        }
        occurs
    }

    /// Records that a fault lasts for this time from now.
    pub fn disturb(&self, time: Duration) {
        let until = self.scheduler.now().saturating_add(time);
        let mut state = lock(&self.state);
        state.disturbed_until = state.disturbed_until.max(until);
    }

    /// The end of the last fault so far.
    pub fn disturbed_until(&self) -> Duration {
        lock(&self.state).disturbed_until
    }

    /// Stops all faults from now on.
    pub fn stop_faults(&self) {
        // Latencies of seconds alone can make a function time out.
        if self.rates().is_some_and(|rates| rates.latency > 1_000_000) {
            self.disturb(Duration::ZERO);
        }
        lock(&self.state).plan = Plan::NoFaults;
        self.log(|| "faults stop".to_owned());
    }

    /// Lets faults occur again from now on.
    pub fn resume_faults(&self) {
        let mut state = lock(&self.state);
        state.plan = state.setup.clone();
        drop(state);
        self.log(|| "faults occur again".to_owned());
    }

    /// Appends a line to the trace, if one is recorded.
    pub fn log(&self, line: impl FnOnce() -> String) {
        let now = self.scheduler.now();
        let mut state = lock(&self.state);
        if let Some(trace) = &mut state.trace {
            trace.push(format!("{:>12.3} s  {}", now.as_secs_f64(), line()));
        }
    }

    /// The trace so far.
    pub fn trace(&self) -> Vec<String> {
        lock(&self.state).trace.clone().unwrap_or_default()
    }

    /// The calls so far, in their order: the first has the number 1.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.state).calls.clone()
    }

    /// The time at which the run began.
    pub fn began_at(&self) -> Timestamp {
        Timestamp::from_second(BEGIN).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// The current time, without clock skew.
    pub fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.scheduler.now()).unwrap_or(SignedDuration::MAX);
        self.began_at().saturating_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// A random delay of up to `max`, or a fixed short one if nothing is random.
    pub fn random_delay(&self, max: Duration) -> Duration {
        let mut state = lock(&self.state);
        match state.plan {
            Plan::Random(_) => Duration::from_micros(
                state.rng.u64(100..=u64::try_from(max.as_micros()).unwrap_or(100).max(100)),
            ),
            Plan::NoFaults | Plan::During(_) | Plan::At(_) => USUAL_LATENCY,
        }
    }

    /// Creates a new invocation of a function, with its own clock skew.
    pub fn new_caller(self: &Arc<Self>, function: &'static str) -> Caller {
        let now = self.scheduler.now();
        let mut state = lock(&self.state);
        state.invocations = state.invocations.saturating_add(1);
        let mut skew = SignedDuration::ZERO;
        let mut jump = None;
        if let Plan::Random(rates) = state.plan
            && rates.skew > 0
        {
            let mut draw = || SignedDuration::from_millis(state.rng.i64(-rates.skew..=rates.skew));
            skew = draw();
            let after = draw();
            if state.rng.f64() < rates.clock_jump {
                jump = Some((now.saturating_add(Duration::from_millis(state.rng.u64(0..30_000))), after));
            }
        }
        Caller {
            sim: Arc::clone(self),
            function,
            invocation: state.invocations,
            skew,
            jump,
            killable: true,
            stalled: Arc::default(),
        }
    }

    /// Draws the number, the fault, and the latencies of the request and the response of the next call.
    fn decide(&self, call: Call) -> (u64, Fault, Duration, Duration) {
        let now = self.scheduler.now();
        let mut state = lock(&self.state);
        state.calls.push(call);
        let number = u64::try_from(state.calls.len()).unwrap_or(u64::MAX);
        let State { rng, plan, .. } = &mut *state;
        let decided = match plan {
            Plan::NoFaults => (number, Fault::None, USUAL_LATENCY, USUAL_LATENCY),
            Plan::During(window) => {
                let Window { from, caller, call: prefix, fault, latency } = *window;
                let is_caller = caller.is_empty() || caller == call.caller;
                if now >= from && is_caller && call.name.starts_with(prefix) {
                    let latency = USUAL_LATENCY.saturating_add(latency);
                    (number, fault, latency, latency)
                } else {
                    (number, Fault::None, USUAL_LATENCY, USUAL_LATENCY)
                }
            }
            Plan::At(faults) => {
                let planned = faults.iter().find(|(call, _)| *call == number);
                (number, planned.map_or(Fault::None, |(_, fault)| *fault), USUAL_LATENCY, USUAL_LATENCY)
            }
            Plan::Random(rates) => {
                let fault = rates.fault(call.name, rng);
                let mut latency = || Duration::from_micros(rng.u64(100..=rates.latency));
                (number, fault, latency(), latency())
            }
        };
        drop(state);
        if decided.1 != Fault::None {
            self.disturb(decided.1.duration());
        }
        decided
    }
}

/// One invocation of a function, with its clock.
#[derive(Clone)]
pub struct Caller {
    /// The run that it belongs to.
    pub sim: Arc<Sim>,
    /// The binary name of the function.
    pub function: &'static str,
    /// The number of the invocation, counted over all functions.
    pub invocation: u64,
    skew: SignedDuration,
    /// When the clock is set, and its skew from then on.
    jump: Option<(Duration, SignedDuration)>,
    killable: bool,
    stalled: Arc<AtomicBool>,
}

impl Caller {
    /// Exempts the caller from kills and stalls.
    #[must_use]
    pub fn unkillable(self) -> Self {
        Self { killable: false, ..self }
    }

    /// Whether the invocation has stalled.
    pub fn has_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    /// Appends a line to the trace, with the function and the number of the invocation.
    pub fn log(&self, line: impl FnOnce() -> String) {
        self.sim.log(|| format!("{}#{}: {}", self.function, self.invocation, line()));
    }

    /// Calls a dependency: `effect` runs when the request arrives, even if the caller has ended by then.
    /// Every [`Fault`] can occur here.
    ///
    /// # Errors
    /// If the call fails or gets no response.
    pub async fn call<T: Send + 'static>(
        &self,
        what: &'static str,
        effect: impl Fn() -> T + Send + 'static,
    ) -> Result<T, CallFailed> {
        let (number, fault, there, back) = self.sim.decide(Call { caller: self.function, name: what });
        let fault = match fault {
            Fault::Kill { takes_effect } if !self.killable => {
                Fault::Hang { takes_effect, client_timeout: None }
            }
            Fault::Stall(_) if !self.killable => Fault::None,
            fault => fault,
        };
        if fault == Fault::None {
            self.log(|| format!("{what} (call {number})"));
        } else {
            self.log(|| format!("{what} (call {number}): {fault:?}"));
        }
        let (sender, answer) = oneshot::channel();
        let scheduler = &self.sim.scheduler;
        let caller = self.clone();
        let arrives = move |times: u8, answers: bool| {
            let mut result = effect();
            for _ in 1..times {
                result = effect();
            }
            caller.log(|| format!("{what} (call {number}) takes effect"));
            if answers {
                caller.sim.scheduler.schedule_in_flight(back, move || drop(sender.send(result)));
            }
        };
        match fault {
            Fault::None => scheduler.schedule_in_flight(there, move || arrives(1, true)),
            Fault::RetriedBySdk => scheduler.schedule_in_flight(there, move || arrives(2, true)),
            Fault::FailBefore => {
                scheduler.sleep(there.saturating_add(back)).await;
                return Err(CallFailed("failed before its effect"));
            }
            Fault::FailAfter => {
                scheduler.schedule_in_flight(there, move || arrives(1, false));
                scheduler.sleep(there.saturating_add(back)).await;
                return Err(CallFailed("failed after its effect"));
            }
            Fault::Hang { takes_effect, client_timeout } => {
                if takes_effect {
                    scheduler.schedule_in_flight(there, move || arrives(1, false));
                }
                return self.hang(client_timeout).await;
            }
            Fault::Delayed(time) => {
                scheduler.schedule_in_flight(time, move || arrives(1, false));
                return self.hang(None).await;
            }
            Fault::Kill { takes_effect } => {
                if takes_effect {
                    scheduler.schedule_in_flight(there, move || arrives(1, false));
                }
                self.kill();
                return self.hang(None).await;
            }
            Fault::Stall(time) => {
                self.stalled.store(true, Ordering::Relaxed);
                scheduler.schedule_in_flight(there, move || arrives(1, true));
                if let Some(task) = scheduler.current() {
                    scheduler.stall(task, time);
                }
            }
        }
        answer.await.map_err(|_| CallFailed("no response"))
    }

    async fn hang<T>(&self, client_timeout: Option<Duration>) -> Result<T, CallFailed> {
        match client_timeout {
            Some(time) => self.sim.scheduler.sleep(time).await,
            None => futures::future::pending::<()>().await,
        }
        Err(CallFailed("timed out"))
    }

    fn kill(&self) {
        if let Some(task) = self.sim.scheduler.current() {
            self.sim.scheduler.kill(task);
        }
    }
}

#[async_trait]
impl Clock for Caller {
    fn now(&self) -> Timestamp {
        let jumped = self.jump.filter(|(at, _)| *at <= self.sim.scheduler.now());
        let skew = jumped.map_or(self.skew, |(_, skew)| skew);
        self.sim.now().saturating_add(skew).unwrap_or(Timestamp::MAX)
    }

    fn elapsed(&self) -> Duration {
        self.sim.scheduler.now()
    }

    async fn sleep(&self, time: Duration) {
        self.sim.scheduler.sleep(time).await;
    }

    fn new_id(&self) -> Uuid {
        let millis = u64::try_from(Clock::now(self).as_millisecond()).unwrap_or_default();
        let random: [u8; 10] = self.sim.random(|rng| std::array::from_fn(|_| rng.u8(..)));
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    fn random(&self) -> f64 {
        self.sim.random(fastrand::Rng::f64)
    }
}
