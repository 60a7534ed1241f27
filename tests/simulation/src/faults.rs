//! The faults, and their probabilities.
#![expect(clippy::float_arithmetic, reason = "probabilities")]

use std::time::Duration;

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
    /// The maximum latency of a call without a fault, in microseconds.
    pub latency: u64,
    /// The maximum clock skew of a function in either direction, in milliseconds.
    pub skew: i64,
}

impl FaultRates {
    /// Draws random probabilities.
    pub fn random(rng: &mut fastrand::Rng) -> Self {
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
            lose_webhook: [0.0, 0.5, 1.0][rng.usize(0..3)],
            latency: [5_000, 50_000, 2_000_000][rng.usize(0..3)],
            skew: [0, 500, 5_000][rng.usize(0..3)],
        }
    }

    /// Draws the fault of one call.
    pub fn fault(&self, rng: &mut fastrand::Rng) -> Fault {
        let mut roll = rng.f64();
        let mut hit = |rate: f64| {
            roll -= rate;
            roll < 0.0
        };
        if hit(self.fail_before) {
            Fault::FailBefore
        } else if hit(self.fail_after) {
            Fault::FailAfter
        } else if hit(self.sdk_retry) {
            Fault::RetriedBySdk
        } else if hit(self.hang) {
            let client_timeout = rng.bool().then(|| Duration::from_millis(rng.u64(1_000..20_000)));
            Fault::Hang { takes_effect: rng.bool(), client_timeout }
        } else if hit(self.delayed_effect) {
            Fault::Delayed(Duration::from_millis(rng.u64(100..600_000)))
        } else if hit(self.kill) {
            Fault::Kill { takes_effect: rng.bool() }
        } else if hit(self.stall) {
            Fault::Stall(Duration::from_millis(rng.u64(1_000..900_000)))
        } else {
            Fault::None
        }
    }
}

/// The faults of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Plan {
    /// No faults. Every call takes the same time.
    NoFaults,
    /// Faults at random calls, at the given rates.
    Random(FaultRates),
    /// A single fault, at one call.
    Once {
        /// The number of the call, from 1.
        call: u64,
        /// The fault of this call.
        fault: Fault,
    },
}
