//! The faults, and their probabilities.
#![expect(clippy::float_arithmetic, reason = "probabilities")]

use std::time::Duration;

use jiff::SignedDuration;

/// The fault of one call from a function to a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The call succeeds.
    None,
    /// The call fails before its effect. This is also what a throttled caller sees.
    FailBefore,
    /// The call fails after its effect.
    FailAfter,
    /// The first response is lost, and the SDK retries the call. The caller gets the second response, which
    /// may say that a condition no longer holds.
    RetriedBySdk,
    /// The call never returns, or fails with a timeout.
    Hang {
        /// Whether the call has its effect.
        takes_effect: bool,
        /// After which time the client gives up; `None` for never.
        client_timeout: Option<Duration>,
    },
    /// The request is delayed this long and then has its effect, when its caller is gone.
    Delayed(Duration),
    /// The function is killed during the call.
    Kill {
        /// Whether the call has its effect.
        takes_effect: bool,
    },
    /// The function stalls this long although the response has arrived, and then resumes: a zombie, if
    /// another invocation has taken over.
    Stall(Duration),
}

/// The probability of each fault, at every point where it can occur. Every seed draws its own, so that some
/// runs have almost no faults, and others mostly throttling or mostly kills ("swarm testing", Groce et al.,
/// ISSTA 2012).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaultRates {
    fail_before: f64,
    fail_after: f64,
    sdk_retry: f64,
    hang: f64,
    delayed_effect: f64,
    kill: f64,
    stall: f64,
    /// A conditional write fails without a concurrent change, as on a transaction conflict.
    pub conflict: f64,
    /// One entry of a `PutEvents` request fails.
    pub reject_entry: f64,
    /// The bus or a queue delivers a message twice.
    pub duplicate: f64,
    /// A message is delayed for up to an hour.
    pub delay: f64,
    /// The response of a function is lost after it has finished.
    pub lose_response: f64,
    /// The stream skips a row.
    pub skip_row: f64,
    /// A client disconnects before it gets the response.
    pub disconnect: f64,
    /// The provider loses a webhook.
    pub lose_webhook: f64,
    /// The provider sends a webhook much later.
    pub delay_webhook: f64,
    /// Somebody sends a forged webhook, or the provider sends one about a PaymentIntent that is not ours.
    pub foreign_report: f64,
    /// A person cancels a PaymentIntent at the provider.
    pub cancel_intent: f64,
    /// The provider processes a payment for another minute.
    pub slow_processing: f64,
    /// A publisher repeats an event of the bus with other contents.
    pub contradict: f64,
    /// An event has the schema of an earlier release.
    pub old_schema: f64,
    /// The clock of a function is set, forwards or backwards, while it runs.
    pub clock_jump: f64,
    /// The maximum latency of a call without a fault, in microseconds.
    pub latency: u64,
    /// The maximum clock skew of a function in either direction, in milliseconds.
    pub skew: i64,
    /// The prefix of the calls that fail more often than all others, such as `provider.`.
    pub focus: Option<&'static str>,
    /// The maximum duration of a delay or a stall.
    pub max_delay: Duration,
}

/// The maximum clock skew that the services assume, in milliseconds: less than a quarter of a minute.
const MAX_SKEW: i64 = 14_900;
/// How far the clock of a function may be off. The clocks of two functions may differ by twice as much.
pub(crate) const CLOCK_SKEW: SignedDuration = SignedDuration::from_millis(MAX_SKEW);
/// The probability of a fault of a call in the focus.
const FOCUSED: f64 = 0.3;
/// The maximum duration of a delay or a stall in a run with short faults.
const SHORT_DELAY: Duration = Duration::from_secs(60);
/// The maximum duration of a delay or a stall in any other run.
const LONG_DELAY: Duration = Duration::from_secs(3600);

impl Fault {
    /// How long the fault lasts: the delay or the stall, otherwise zero.
    pub fn duration(self) -> Duration {
        match self {
            Self::Delayed(time) | Self::Stall(time) => time,
            _ => Duration::ZERO,
        }
    }
}

impl FaultRates {
    /// Draws random probabilities. `is_short` limits the duration of each fault to a minute.
    pub fn random(rng: &mut fastrand::Rng, is_short: bool) -> Self {
        let mut rate = || match rng.u8(0..10) {
            0..=4 => 0.0,
            5..=6 => 0.01,
            7..=8 => 0.05,
            _ => 0.2,
        };
        Self {
            fail_before: rate(),
            fail_after: rate(),
            sdk_retry: rate(),
            hang: rate() / 2.0,
            delayed_effect: rate() / 2.0,
            kill: rate() / 2.0,
            stall: rate() / 4.0,
            conflict: rate(),
            reject_entry: rate(),
            duplicate: rate(),
            delay: rate(),
            lose_response: rate(),
            skip_row: rate(),
            disconnect: rate(),
            delay_webhook: rate(),
            foreign_report: rate(),
            cancel_intent: rate() / 4.0,
            slow_processing: rate() * 2.0,
            contradict: rate() * 2.0,
            old_schema: rate(),
            clock_jump: rate(),
            lose_webhook: [0.0, 0.5, 1.0][rng.usize(0..3)],
            latency: [5_000, 50_000, 2_000_000][rng.usize(0..3)],
            skew: [0, 500, 5_000, MAX_SKEW][rng.usize(0..4)],
            focus: [None, None, Some("provider."), Some("payments."), Some("reservations."), Some("bus.")]
                [rng.usize(0..6)],
            max_delay: if is_short { SHORT_DELAY } else { LONG_DELAY },
        }
    }

    /// Draws the fault of one call.
    pub fn fault(&self, call: &str, rng: &mut fastrand::Rng) -> Fault {
        if self.focus.is_some_and(|prefix| call.starts_with(prefix)) && rng.f64() < FOCUSED {
            let kind = rng.usize(0..7);
            return self.fault_of_kind(kind, rng);
        }
        let mut roll = rng.f64();
        let rates = [
            self.fail_before,
            self.fail_after,
            self.sdk_retry,
            self.hang,
            self.delayed_effect,
            self.kill,
            self.stall,
        ];
        let drawn = rates.into_iter().position(|rate| {
            roll -= rate;
            roll < 0.0
        });
        drawn.map_or(Fault::None, |kind| self.fault_of_kind(kind, rng))
    }

    fn fault_of_kind(&self, kind: usize, rng: &mut fastrand::Rng) -> Fault {
        let mut up_to = |max: u64| Duration::from_millis(rng.u64(100..max)).min(self.max_delay);
        match kind {
            0 => Fault::FailBefore,
            1 => Fault::FailAfter,
            2 => Fault::RetriedBySdk,
            3 => {
                let client_timeout = rng.bool().then(|| Duration::from_millis(rng.u64(1_000..20_000)));
                Fault::Hang { takes_effect: rng.bool(), client_timeout }
            }
            4 => Fault::Delayed(up_to(600_000)),
            5 => Fault::Kill { takes_effect: rng.bool() },
            _ => Fault::Stall(up_to(900_000)),
        }
    }
}

/// A fault of the calls of a function, from some time on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// When it begins.
    pub from: Duration,
    /// The binary name of the function; any, if it is empty.
    pub caller: &'static str,
    /// The prefix of the calls.
    pub call: &'static str,
    /// The fault of each of these calls.
    pub fault: Fault,
    /// How much longer the request and the response take each.
    pub latency: Duration,
}

/// The faults of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    /// No faults. Every call takes the same time.
    NoFaults,
    /// Faults at random calls, at the given rates.
    Random(FaultRates),
    /// One fault from some time on.
    During(Window),
    /// These faults, each at the call with this number, from 1. Every call takes the same time.
    At(Vec<(u64, Fault)>),
}

impl Plan {
    /// A single fault, at the call with this number, from 1.
    pub fn once(call: u64, fault: Fault) -> Self {
        Self::At(vec![(call, fault)])
    }
}
