//! The result of a health check.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::AsRefStr;

/// The interval between two health checks. The schedule in `template.yaml` has to be the same.
pub const CHECK_INTERVAL: SignedDuration = SignedDuration::from_mins(5);
/// The age from which a report is stale: two checks in a row did not run.
pub const MAX_REPORT_AGE: SignedDuration = SignedDuration::from_mins(15);
/// A message that has waited in a queue for longer than this is late.
pub const MAX_MESSAGE_AGE: SignedDuration = SignedDuration::from_mins(15);

/// The steps of a customer, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, AsRefStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Step {
    /// Get an access token.
    SignIn,
    /// List the products.
    ListProducts,
    /// Read one of them.
    ReadProduct,
    /// Place an order.
    PlaceOrder,
    /// Wait for the decision on the order, which passes through every queue on its way.
    DecideOrder,
}

impl Step {
    /// Returns the public message for a failure of the step.
    pub fn failure_message(self) -> &'static str {
        match self {
            Self::SignIn => "Signing in fails.",
            Self::ListProducts => "Products cannot be listed.",
            Self::ReadProduct => "Products cannot be read.",
            Self::PlaceOrder => "Orders cannot be placed.",
            Self::DecideOrder => "Orders are accepted, but processing takes longer than usual.",
        }
    }
}

/// The result of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepReport {
    /// The step that was performed.
    pub step: Step,
    /// Whether the step succeeded.
    pub ok: bool,
    /// The duration in milliseconds.
    pub duration_ms: u64,
}

/// The result of a health check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The time of the check.
    pub checked_at: Timestamp,
    /// The steps that were attempted. A step that fails is the last one.
    pub steps: Vec<StepReport>,
    /// Whether a message has waited in a queue for longer than [`MAX_MESSAGE_AGE`].
    #[serde(rename = "late")]
    pub has_late_messages: bool,
    /// The readings that failed, such as the depth of a queue: what they would have shown is not known. They are for
    /// operators, and no problem of the shop.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

impl Report {
    /// Returns the public messages about all problems as of `now`.
    pub fn problems(&self, now: Timestamp) -> Vec<&'static str> {
        if now.duration_since(self.checked_at) > MAX_REPORT_AGE {
            return vec!["There has been no recent health check."];
        }
        let failed = self.steps.iter().filter(|step| !step.ok).map(|step| step.step.failure_message());
        failed
            .chain(self.has_late_messages.then_some("Some messages have been waiting longer than usual."))
            .collect()
    }
}
