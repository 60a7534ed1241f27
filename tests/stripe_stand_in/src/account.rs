//! What the stand-in remembers between two runs: the objects of one Stripe account.

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::idempotency::Keys;
use crate::intents::PaymentIntent;
use crate::refunds::Refund;

/// Money that was taken: a charge that succeeded. At most one for each PaymentIntent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Charge {
    /// `ch_…`
    pub id: String,
    /// The PaymentIntent that it came from.
    pub payment_intent: String,
    /// `metadata[order_id]` of that PaymentIntent.
    pub order_id: Option<String>,
    /// In the currency's minor unit.
    pub amount: u64,
    /// How much of it was given back, in the minor unit.
    pub amount_refunded: u64,
    /// ISO 4217, in small letters, as Stripe has it.
    pub currency: String,
    /// When the money was taken.
    pub at: Timestamp,
}

/// One account: all keys that the stand-in is started with belong to it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Account {
    /// By id, oldest first.
    pub payment_intents: IndexMap<String, PaymentIntent>,
    /// By id, oldest first.
    pub charges: IndexMap<String, Charge>,
    /// By id, oldest first.
    pub refunds: IndexMap<String, Refund>,
    /// The test card behind each `pm_…` that a request with a test card's name made.
    pub payment_methods: IndexMap<String, String>,
    /// Answers that are replayed when their idempotency key comes again.
    pub keys: Keys,
}

/// An id as Stripe makes them: the prefix and 24 letters and digits.
pub fn new_id(prefix: &str) -> String {
    let random: String = std::iter::repeat_with(fastrand::alphanumeric).take(24).collect();
    format!("{prefix}_{random}")
}
