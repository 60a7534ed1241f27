//! The response bodies of the API.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::report::StepReport;

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Health")]
pub(crate) struct HealthView<'a> {
    /// The status. A failed health check is returned as a problem.
    pub(crate) status: HealthStatus,
    /// The time of the health check (RFC 3339, UTC); absent if `status` is `starting`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(crate) checked_at: Option<Timestamp>,
    /// The result of each step; empty if `status` is `starting`.
    pub(crate) steps: &'a [StepReport],
}

/// The status of a shop that is not known to fail.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HealthStatus {
    /// All steps of the latest check succeeded.
    Ok,
    /// The stack is new, and its first check has not finished yet.
    Starting,
}
