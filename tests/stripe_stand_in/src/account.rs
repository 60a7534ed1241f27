//! What the stand-in remembers between two runs: the objects of one Stripe account.

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::idempotency::Keys;
use crate::intents::PaymentIntent;
use crate::refunds::Refund;
use crate::webhooks::Webhooks;

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

impl Charge {
    /// The object as the API shows it. Its metadata is that of its PaymentIntent.
    pub fn render(&self) -> Value {
        let metadata = self.order_id.as_ref().map(|id| json!({ "order_id": id }));
        json!({
            "id": self.id,
            "object": "charge",
            "amount": self.amount,
            "amount_captured": self.amount,
            "amount_refunded": self.amount_refunded,
            "captured": true,
            "created": self.at.as_second(),
            "currency": self.currency,
            "livemode": false,
            "metadata": metadata.unwrap_or_else(|| json!({})),
            "paid": true,
            "payment_intent": self.payment_intent,
            "refunded": self.amount_refunded == self.amount,
            "status": "succeeded",
        })
    }
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
    /// Where events are sent to.
    #[serde(default)]
    pub webhooks: Webhooks,
    /// Answers that are replayed when their idempotency key comes again.
    pub keys: Keys,
}

/// An id as Stripe makes them: the prefix and 24 letters and digits.
pub fn new_id(prefix: &str) -> String {
    let random: String = std::iter::repeat_with(fastrand::alphanumeric).take(24).collect();
    format!("{prefix}_{random}")
}
