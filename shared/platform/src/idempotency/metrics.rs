//! Log lines about the execution of effects, which are also metrics: how often an effect was executed,
//! requested again, or needs manual intervention.
//!
//! Each line has a field `_aws` in CloudWatch's embedded metric format: CloudWatch extracts the metric
//! without a metric filter or an API call
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//! The metric is `IdempotentEffects`, a count by `function` and `idempotency`, in the namespace
//! `METRICS_NAMESPACE`. The lines are written at every `LOG_LEVEL`, even `off`.

use jiff::Timestamp;
use serde_json::{Value, json};
use strum::AsRefStr;
use tracing::Metadata;

use super::Key;

/// The `tracing` target of these lines.
pub(crate) const TARGET: &str = "platform::idempotency::metrics";

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

/// The embedded-metric-format directive of a line, for its field `_aws`. `None` if the line is not one of
/// these.
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
