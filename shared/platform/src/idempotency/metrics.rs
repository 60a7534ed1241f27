//! How often an effect was carried out, asked for once more, or left to a person: a log line each, which is also a
//! metric.
//!
//! A line of these carries `_aws`, the embedded metric format of CloudWatch Logs: CloudWatch makes a metric of it by
//! itself, with no filter to set up and no call to wait for
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//! The metric is `IdempotentEffects`, a count by `function` and `idempotency`, in the namespace that
//! `METRICS_NAMESPACE` names. They are written at every `LOG_LEVEL`, even `off`.

use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::Metadata;

use super::Key;

/// What lines are metrics, by their target.
pub(crate) const TARGET: &str = "platform::idempotency::metrics";

/// What happened to an effect that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EffectEvent {
    /// It was claimed, to be carried out.
    Claimed,
    /// It had been done before, and was not done again.
    Duplicate,
    /// Somebody else is at it.
    InProgress,
    /// Nobody knows whether it happened, and it is done again.
    UnknownRetried,
    /// Nobody knows whether it happened, and a person has to look.
    UnknownBlocked,
    /// Nobody knows whether it happened, and the outside is asked.
    UnknownReconciled,
    /// It was asked for with another payload, and was refused.
    Mismatch,
    /// It was asked for too late, and was refused.
    TooLate,
    /// It failed and certainly did not happen.
    NotDone,
    /// It failed and may have happened.
    Unknown,
    /// It was done, by a run whose claim had been taken over.
    Lost,
    /// It was done.
    Completed,
}

impl EffectEvent {
    /// Its name in logs, and in the metric's dimension.
    fn name(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Duplicate => "duplicate",
            Self::InProgress => "in_progress",
            Self::UnknownRetried => "unknown_retried",
            Self::UnknownBlocked => "unknown_blocked",
            Self::UnknownReconciled => "unknown_reconciled",
            Self::Mismatch => "mismatch",
            Self::TooLate => "too_late",
            Self::NotDone => "not_done",
            Self::Unknown => "unknown",
            Self::Lost => "lost",
            Self::Completed => "completed",
        }
    }

    /// Writes the line.
    pub(super) fn log(self, key: &Key) {
        let (idempotency, subject, effect) = (self.name(), key.subject.as_str(), key.effect.as_str());
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

/// What CloudWatch is to make of a log line: the value of its field `_aws`. Nothing of the lines of others.
pub(crate) fn directive(line: &Metadata<'_>, namespace: &str, now: Timestamp) -> Option<Value> {
    (line.target() == TARGET).then(|| {
        json!({
            "Timestamp": now.as_millisecond(),
            "CloudWatchMetrics": [{
                "Namespace": namespace,
                "Dimensions": [["function", "idempotency"]],
                "Metrics": [{ "Name": "IdempotentEffects", "Unit": "Count" }],
            }],
        })
    })
}
