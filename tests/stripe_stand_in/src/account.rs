//! The persistent state of the stand-in: the objects of one Stripe account.

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::idempotency::Keys;
use crate::intents::PaymentIntent;
use crate::refunds::Refund;
use crate::webhooks::Webhooks;

/// A successful charge. A PaymentIntent has at most one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Charge {
    /// `ch_…`
    pub id: String,
    /// The id of the PaymentIntent.
    pub payment_intent: String,
    /// `metadata[order_id]` of that PaymentIntent.
    pub order_id: Option<String>,
    /// In the currency's minor unit.
    pub amount: u64,
    /// The refunded part of the amount, in the minor unit.
    pub amount_refunded: u64,
    /// The ISO 4217 code in lower case, as in Stripe's API.
    pub currency: String,
    /// The time at which the money was captured.
    pub at: Timestamp,
}

impl Charge {
    /// Returns the charge as an API object, with the metadata of its PaymentIntent.
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

/// A Stripe account. All API keys of the stand-in belong to it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Account {
    /// By id, oldest first.
    pub payment_intents: IndexMap<String, PaymentIntent>,
    /// By id, oldest first.
    pub charges: IndexMap<String, Charge>,
    /// By id, oldest first.
    pub refunds: IndexMap<String, Refund>,
    /// The test card of each payment method (`pm_…`) that was created from the name of a test card.
    pub payment_methods: IndexMap<String, String>,
    /// The webhook endpoint and its deliveries.
    #[serde(default)]
    pub webhooks: Webhooks,
    /// The saved responses, by idempotency key.
    pub keys: Keys,
}

/// Returns a new id in Stripe's format: the prefix and 24 alphanumeric characters.
pub fn new_id(prefix: &str) -> String {
    let random: String = std::iter::repeat_with(fastrand::alphanumeric).take(24).collect();
    format!("{prefix}_{random}")
}
