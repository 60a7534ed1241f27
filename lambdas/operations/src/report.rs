//! What a look at the shop finds.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often the shop is looked at. The schedule in `template.yaml` says the same.
pub const INTERVAL: SignedDuration = SignedDuration::from_mins(5);
/// What was found longer ago than this says nothing any more: two looks in a row did not take place.
pub const GOOD_FOR: SignedDuration = SignedDuration::from_mins(15);
/// Work that waits in a queue for longer than this is late.
pub const LATE_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// What a customer does, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Gets an access token.
    SignIn,
    /// Lists the products.
    ListProducts,
    /// Reads one of them.
    ReadProduct,
    /// Places an order.
    PlaceOrder,
    /// Waits until the order is decided, over every queue on its way.
    DecideOrder,
}

impl Step {
    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::ListProducts => "list_products",
            Self::ReadProduct => "read_product",
            Self::PlaceOrder => "place_order",
            Self::DecideOrder => "decide_order",
        }
    }

    /// What everybody may know when it does not work.
    pub fn when_it_fails(self) -> &'static str {
        match self {
            Self::SignIn => "Signing in does not work.",
            Self::ListProducts => "Products cannot be listed.",
            Self::ReadProduct => "Products cannot be read.",
            Self::PlaceOrder => "Orders are not taken.",
            Self::DecideOrder => "Orders are taken, and take longer than usual.",
        }
    }
}

/// How a step went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepReport {
    /// Which.
    pub step: Step,
    /// Whether it worked.
    pub ok: bool,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// When.
    pub checked_at: Timestamp,
    /// The steps that were tried. One that fails is the last.
    pub steps: Vec<StepReport>,
    /// Whether work waits in a queue for longer than it should.
    pub late: bool,
}

impl Report {
    /// All that is wrong at `now`, in words that everybody may read.
    pub fn problems(&self, now: Timestamp) -> Vec<&'static str> {
        if now.duration_since(self.checked_at) > GOOD_FOR {
            return vec!["Nobody has looked lately."];
        }
        let failed = self.steps.iter().filter(|step| !step.ok).map(|step| step.step.when_it_fails());
        failed.chain(self.late.then_some("Some work waits for longer than usual.")).collect()
    }
}
