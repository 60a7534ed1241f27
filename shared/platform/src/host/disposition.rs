//! The decisions of the hosts on a record whose handler has ended, without I/O. The model checker
//! (`tests/model`) makes them too.

use std::time::Duration;

use jiff::Timestamp;

use crate::failure::Failure;
use crate::retry::RetryPolicy;

/// What a host does with a record.
#[derive(Debug, Clone, Copy)]
pub enum Disposition<'a> {
    /// It is not delivered again.
    Acknowledge,
    /// It is delivered again, because of this failure.
    Redeliver(&'a Failure),
    /// It is sent to the DLQ: [`Disposition::after_dead_letter`].
    DeadLetter {
        /// As in [`crate::queue::DeadLetter`].
        kind: &'static str,
        /// The failure of the handler.
        failure: &'a Failure,
    },
}

impl<'a> Disposition<'a> {
    /// Decides after the delivery number `attempt`, 1 for the first. There is no failure only if the events of the
    /// handler have been published too.
    pub fn of(failure: Option<&'a Failure>, attempt: u32, max_attempts: u32) -> Self {
        let Some(failure) = failure else { return Self::Acknowledge };
        match failure {
            Failure::Retry(_) | Failure::Leased { .. } if attempt < max_attempts => Self::Redeliver(failure),
            Failure::Retry(_) | Failure::Leased { .. } => Self::DeadLetter { kind: "exhausted", failure },
            Failure::Reject(_) | Failure::Poison(_) => Self::DeadLetter { kind: failure.kind(), failure },
        }
    }

    /// Decides after the record was sent to the DLQ. One that may not be there is delivered again; the redrive policy
    /// of its queue moves it there eventually, without the reason.
    pub fn after_dead_letter(failure: &'a Failure, is_sent: bool) -> Self {
        if is_sent { Self::Acknowledge } else { Self::Redeliver(failure) }
    }
}

/// The delay before a record is delivered again after the delivery number `attempt`: that of the policy, and at least
/// until the lease expires that the failure is about. `jitter` is that of [`RetryPolicy::backoff`].
pub fn redelivery_delay(
    failure: &Failure,
    attempt: u32,
    policy: &RetryPolicy,
    jitter: f64,
    now: Timestamp,
) -> Duration {
    let delay = policy.backoff(attempt, jitter);
    match failure {
        Failure::Leased { until } => {
            delay.max(Duration::try_from(until.duration_since(now)).unwrap_or_default())
        }
        Failure::Retry(_) | Failure::Reject(_) | Failure::Poison(_) => delay,
    }
}
