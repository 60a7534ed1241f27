//! What all of a run shares: chance, the faults, the trace, and the one way by which a function reaches anything
//! outside of itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::channel::oneshot;
use jiff::{SignedDuration, Timestamp};
use platform::Clock;
use platform::memory::lock;
use uuid::Uuid;

use crate::faults::{Fault, Plan, Swarm};
use crate::scheduler::Scheduler;

/// When every run begins: 2026-01-05 09:00 UTC.
const BEGIN: i64 = 1_767_603_600;
/// How long a call is under way when nothing is random.
const USUAL_LATENCY: Duration = Duration::from_millis(3);

/// Shared by all of a run.
pub struct Sim {
    /// Runs it.
    pub scheduler: Scheduler,
    state: Mutex<State>,
}

struct State {
    rng: fastrand::Rng,
    plan: Plan,
    calls: u64,
    invocations: u64,
    trace: Option<Vec<String>>,
}

/// No answer, or one that says that it did not work.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CallFailed(&'static str);

impl Sim {
    /// A run with this chance and these faults. With `trace`, all that happens is written down.
    pub fn new(seed: u64, plan: Plan, trace: bool) -> Arc<Self> {
        let rng = fastrand::Rng::with_seed(seed);
        let state = State { rng, plan, calls: 0, invocations: 0, trace: trace.then(Vec::new) };
        Arc::new(Self { scheduler: Scheduler::default(), state: Mutex::new(state) })
    }

    /// Asks chance.
    pub fn chance<T>(&self, ask: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        ask(&mut lock(&self.state).rng)
    }

    /// What is random in this run, if anything is.
    pub fn swarm(&self) -> Option<Swarm> {
        match lock(&self.state).plan {
            Plan::Random(swarm) => Some(swarm),
            Plan::Calm | Plan::Once { .. } => None,
        }
    }

    /// Whether something that happens at the rate that `rate` picks happens now.
    pub fn strikes(&self, rate: impl FnOnce(&Swarm) -> f64) -> bool {
        let mut state = lock(&self.state);
        let Plan::Random(swarm) = state.plan else { return false };
        let rate = rate(&swarm);
        rate > 0.0 && state.rng.f64() < rate
    }

    /// From now on nothing goes wrong any more.
    pub fn calm_down(&self) {
        lock(&self.state).plan = Plan::Calm;
        self.note(|| "faults stop".to_owned());
    }

    /// Writes a line of the trace, if one is kept.
    pub fn note(&self, line: impl FnOnce() -> String) {
        let now = self.scheduler.now();
        let mut state = lock(&self.state);
        if let Some(trace) = &mut state.trace {
            trace.push(format!("{:>12.3} s  {}", now.as_secs_f64(), line()));
        }
    }

    /// All that was written down.
    pub fn trace(&self) -> Vec<String> {
        lock(&self.state).trace.clone().unwrap_or_default()
    }

    /// How many calls were made.
    pub fn calls(&self) -> u64 {
        lock(&self.state).calls
    }

    /// The time by a clock that is right.
    pub fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.scheduler.now()).unwrap_or(SignedDuration::MAX);
        Timestamp::from_second(BEGIN)
            .unwrap_or(Timestamp::UNIX_EPOCH)
            .saturating_add(passed)
            .unwrap_or(Timestamp::MAX)
    }

    /// A random time up to `most`, or always the same short one when nothing is random.
    pub fn soon(&self, most: Duration) -> Duration {
        let mut state = lock(&self.state);
        match state.plan {
            Plan::Random(_) => Duration::from_micros(
                state.rng.u64(100..=u64::try_from(most.as_micros()).unwrap_or(100).max(100)),
            ),
            Plan::Calm | Plan::Once { .. } => USUAL_LATENCY,
        }
    }

    /// A new invocation of a function, with a clock of its own.
    pub fn caller(self: &Arc<Self>, function: &'static str) -> Caller {
        let mut state = lock(&self.state);
        state.invocations = state.invocations.saturating_add(1);
        let skew = match state.plan {
            Plan::Random(swarm) if swarm.skew > 0 => state.rng.i64(-swarm.skew..=swarm.skew),
            _ => 0,
        };
        Caller {
            sim: Arc::clone(self),
            function,
            invocation: state.invocations,
            skew: SignedDuration::from_millis(skew),
            mortal: true,
            stalled: Arc::default(),
        }
    }

    /// What becomes of the next call, and how long it and its answer are under way.
    fn decide(&self) -> (u64, Fault, Duration, Duration) {
        let mut state = lock(&self.state);
        state.calls = state.calls.saturating_add(1);
        let State { rng, plan, calls, .. } = &mut *state;
        match plan {
            Plan::Calm => (*calls, Fault::None, USUAL_LATENCY, USUAL_LATENCY),
            Plan::Once { call, fault } => {
                let fault = if call == calls { *fault } else { Fault::None };
                (*calls, fault, USUAL_LATENCY, USUAL_LATENCY)
            }
            Plan::Random(swarm) => {
                let fault = swarm.fault(rng);
                let mut latency = || Duration::from_micros(rng.u64(100..=swarm.latency));
                (*calls, fault, latency(), latency())
            }
        }
    }
}

/// One invocation of a function: who calls, and what its clock says.
#[derive(Clone)]
pub struct Caller {
    /// The run.
    pub sim: Arc<Sim>,
    /// Which function.
    pub function: &'static str,
    /// Counted over all functions.
    pub invocation: u64,
    skew: SignedDuration,
    mortal: bool,
    stalled: Arc<AtomicBool>,
}

impl Caller {
    /// The same, but it is never killed and never stands still.
    #[must_use]
    pub fn immortal(self) -> Self {
        Self { mortal: false, ..self }
    }

    /// Whether it has stood still.
    pub fn has_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    /// Writes a line of the trace.
    pub fn note(&self, line: impl FnOnce() -> String) {
        self.sim.note(|| format!("{}#{}: {}", self.function, self.invocation, line()));
    }

    /// Calls something outside: `effect` happens there when the request has arrived, whatever has become of the
    /// caller by then. Every fault of [`Fault`] can strike here.
    ///
    /// # Errors
    /// When no answer comes, or one that says that it did not work.
    pub async fn call<T: Send + 'static>(
        &self,
        what: &'static str,
        effect: impl Fn() -> T + Send + 'static,
    ) -> Result<T, CallFailed> {
        let (number, fault, there, back) = self.sim.decide();
        let fault = match fault {
            Fault::Kill { effect } if !self.mortal => Fault::Hang { effect, gives_up: None },
            Fault::Stall(_) if !self.mortal => Fault::None,
            fault => fault,
        };
        if fault == Fault::None {
            self.note(|| format!("{what} (call {number})"));
        } else {
            self.note(|| format!("{what} (call {number}): {fault:?}"));
        }
        let (sender, answer) = oneshot::channel();
        let scheduler = &self.sim.scheduler;
        let caller = self.clone();
        let arrives = move |times: u8, answers: bool| {
            let mut result = effect();
            for _ in 1..times {
                result = effect();
            }
            caller.note(|| format!("{what} (call {number}) has its effect"));
            if answers {
                caller.sim.scheduler.under_way(back, move || drop(sender.send(result)));
            }
        };
        match fault {
            Fault::None => scheduler.under_way(there, move || arrives(1, true)),
            Fault::Twice => scheduler.under_way(there, move || arrives(2, true)),
            Fault::Before => {
                scheduler.sleep(there.saturating_add(back)).await;
                return Err(CallFailed("refused, before it had any effect"));
            }
            Fault::After => {
                scheduler.under_way(there, move || arrives(1, false));
                scheduler.sleep(there.saturating_add(back)).await;
                return Err(CallFailed("failed, after it had its effect"));
            }
            Fault::Hang { effect, gives_up } => {
                if effect {
                    scheduler.under_way(there, move || arrives(1, false));
                }
                return self.hang(gives_up).await;
            }
            Fault::Late(time) => {
                scheduler.under_way(time, move || arrives(1, false));
                return self.hang(None).await;
            }
            Fault::Kill { effect } => {
                if effect {
                    scheduler.under_way(there, move || arrives(1, false));
                }
                self.kill();
                return self.hang(None).await;
            }
            Fault::Stall(time) => {
                self.stalled.store(true, Ordering::Relaxed);
                scheduler.under_way(there, move || arrives(1, true));
                if let Some(task) = scheduler.current() {
                    scheduler.stall(task, time);
                }
            }
        }
        answer.await.map_err(|_| CallFailed("no answer came"))
    }

    async fn hang<T>(&self, gives_up: Option<Duration>) -> Result<T, CallFailed> {
        match gives_up {
            Some(time) => self.sim.scheduler.sleep(time).await,
            None => futures::future::pending::<()>().await,
        }
        Err(CallFailed("no answer came in time"))
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
        self.sim.now().saturating_add(self.skew).unwrap_or(Timestamp::MAX)
    }

    fn elapsed(&self) -> Duration {
        self.sim.scheduler.now()
    }

    async fn sleep(&self, time: Duration) {
        self.sim.scheduler.sleep(time).await;
    }

    fn new_id(&self) -> Uuid {
        let millis = u64::try_from(Clock::now(self).as_millisecond()).unwrap_or_default();
        let random: [u8; 10] = self.sim.chance(|rng| std::array::from_fn(|_| rng.u8(..)));
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    fn random(&self) -> f64 {
        self.sim.chance(fastrand::Rng::f64)
    }
}
