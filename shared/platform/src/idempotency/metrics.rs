//! Log lines about the execution of effects, which are also metrics: how often an effect was executed,
//! requested again, or needs manual intervention.
//!
//! The metric is `IdempotentEffects`, by `function` and `idempotency` ([`crate::metrics`]).

use strum::AsRefStr;

use super::Key;
use crate::metrics::TARGET;

/// What happened to a requested effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsRefStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum EffectEvent {
    /// The lease was acquired to execute the effect.
    Claimed,
    /// The effect had already been done, and was not repeated.
    Duplicate,
    /// Another worker holds the lease.
    InProgress,
    /// The outcome of an earlier run is unknown, and the effect is executed again.
    UnknownRetried,
    /// The outcome of an earlier run is unknown, and manual intervention is needed.
    UnknownBlocked,
    /// The outcome of an earlier run is unknown, and the external system is asked.
    UnknownReconciled,
    /// The request was rejected because its payload differs.
    Mismatch,
    /// The request was rejected because it came too late.
    TooLate,
    /// The effect failed and did not happen.
    NotDone,
    /// The effect failed and may have happened.
    Unknown,
    /// The effect was done by a run that had lost its lease to another worker.
    Lost,
    /// The effect was done and recorded.
    Completed,
}

impl EffectEvent {
    /// Writes the log line: a warning if an operator may have to act.
    pub(super) fn log(self, key: &Key) {
        let (idempotency, subject, effect) = (self.as_ref(), key.subject.as_str(), key.effect.as_str());
        match self {
            Self::Claimed | Self::Duplicate | Self::InProgress | Self::NotDone | Self::Completed => {
                tracing::info!(target: TARGET, IdempotentEffects = 1, idempotency, subject, effect, "effect");
            }
            Self::UnknownRetried
            | Self::UnknownBlocked
            | Self::UnknownReconciled
            | Self::Mismatch
            | Self::TooLate
            | Self::Unknown
            | Self::Lost => {
                tracing::warn!(target: TARGET, IdempotentEffects = 1, idempotency, subject, effect, "effect");
            }
        }
    }
}
