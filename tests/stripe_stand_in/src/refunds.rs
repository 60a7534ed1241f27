//! Refunds: <https://docs.stripe.com/api/refunds>.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::account::{Account, new_id};
use crate::error::{Result, StripeError};
use crate::intents::no_such_intent;
use crate::limits::display_amount;

/// A refund. With the test cards it succeeds immediately.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Refund {
    /// `re_…`
    pub id: String,
    /// The id of the refunded charge.
    pub charge: String,
    /// The id of the charge's PaymentIntent.
    pub payment_intent: String,
    /// In the currency's minor unit.
    pub amount: u64,
    /// The ISO 4217 code in lower case.
    pub currency: String,
    /// `duplicate`, `fraudulent` or `requested_by_customer`.
    pub reason: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub created: Timestamp,
}

impl Refund {
    /// Returns the refund as an API object.
    pub fn render(&self) -> Value {
        json!({
            "id": self.id,
            "object": "refund",
            "amount": self.amount,
            "balance_transaction": null,
            "charge": self.charge,
            "created": self.created.as_second(),
            "currency": self.currency,
            "metadata": self.metadata,
            "payment_intent": self.payment_intent,
            "reason": self.reason,
            "receipt_number": null,
            "source_transfer_reversal": null,
            "status": "succeeded",
            "transfer_reversal": null,
        })
    }
}

/// The parameters of a new refund.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct NewRefund {
    /// `pi_…`
    pub payment_intent: String,
    /// In the currency's minor unit; by default the unrefunded rest of the charge.
    pub amount: Option<u64>,
    pub reason: Option<String>,
    pub metadata: BTreeMap<String, String>,
}

/// Creates a refund: `POST /v1/refunds`.
///
/// # Errors
/// 400 when the PaymentIntent does not exist, has no successful charge, or has less left than the amount.
pub fn create(account: &mut Account, new: NewRefund, now: Timestamp) -> Result<Value> {
    let Some(intent) = account.payment_intents.get(&new.payment_intent) else {
        return Err(no_such_intent(400, &new.payment_intent, "payment_intent"));
    };
    let charge = intent.latest_charge.as_ref().and_then(|id| account.charges.get_mut(id));
    let Some(charge) = charge else {
        let message =
            format!("This PaymentIntent ({}) does not have a successful charge to refund.", intent.id);
        return Err(StripeError::invalid(message).with_param("payment_intent"));
    };
    let left = charge.amount - charge.amount_refunded;
    if left == 0 {
        let message = format!("Charge {} has already been refunded.", charge.id);
        return Err(StripeError::invalid(message).with_code("charge_already_refunded"));
    }
    let amount = new.amount.unwrap_or(left);
    if amount > left {
        let message = format!(
            "Refund amount ({}) is greater than unrefunded amount on charge ({})",
            display_amount(amount, &charge.currency),
            display_amount(left, &charge.currency)
        );
        return Err(StripeError::invalid(message).with_param("amount"));
    }
    charge.amount_refunded += amount;
    account.webhooks.record_event("charge.refunded", &charge.render(), now);
    let refund = Refund {
        id: new_id("re"),
        charge: charge.id.clone(),
        payment_intent: new.payment_intent,
        amount,
        currency: charge.currency.clone(),
        reason: new.reason,
        metadata: new.metadata,
        created: now,
    };
    let rendered = refund.render();
    account.refunds.insert(refund.id.clone(), refund);
    Ok(rendered)
}

/// Returns a refund: `GET /v1/refunds/{id}`.
///
/// # Errors
/// 404 when there is none.
pub fn find<'a>(account: &'a Account, id: &str) -> Result<&'a Refund> {
    account
        .refunds
        .get(id)
        .ok_or_else(|| StripeError::resource_missing(404, format!("No such refund: '{id}'"), "id"))
}
