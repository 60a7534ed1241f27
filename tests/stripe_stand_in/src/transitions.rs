//! The changes of a PaymentIntent's status, with their webhooks.

use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::json;

use crate::account::{Account, Charge, new_id};
use crate::intents::{PaymentIntent, Status};
use crate::webhooks::Webhooks;

/// The error of a charge that was processed and then failed.
const PROCESSING_FAILED: &str = "The payment failed after it had been processed.";

/// Captures the money of a PaymentIntent.
pub fn succeed(
    intent: &mut PaymentIntent,
    charges: &mut IndexMap<String, Charge>,
    webhooks: &mut Webhooks,
    now: Timestamp,
) {
    let charge = Charge {
        id: new_id("ch"),
        payment_intent: intent.id.clone(),
        order_id: intent.order_id().map(str::to_owned),
        amount: intent.amount,
        amount_refunded: 0,
        currency: intent.currency.clone(),
        at: now,
    };
    intent.status = Status::Succeeded;
    intent.last_payment_error = None;
    intent.latest_charge = Some(charge.id.clone());
    charges.insert(charge.id.clone(), charge);
    webhooks.record_event("payment_intent.succeeded", &intent.render(), now);
}

/// Cancels a PaymentIntent, with the reason that the request gave.
pub fn cancel(intent: &mut PaymentIntent, reason: Option<String>, webhooks: &mut Webhooks, now: Timestamp) {
    intent.status = Status::Canceled;
    intent.canceled_at = Some(now);
    intent.cancellation_reason = reason;
    webhooks.record_event("payment_intent.canceled", &intent.render(), now);
}

/// Gives a PaymentIntent a status, as the card network, the bank or an employee in the dashboard does. A charge that
/// was being processed succeeds with `succeeded` and fails with `requires_payment_method`.
///
/// # Errors
/// A message if there is no such PaymentIntent, or its status is final.
pub fn set_status(account: &mut Account, id: &str, status: Status, now: Timestamp) -> Result<(), String> {
    let Account { payment_intents, charges, webhooks, .. } = account;
    let Some(intent) = payment_intents.get_mut(id) else {
        return Err(format!("there is no PaymentIntent {id}"));
    };
    if intent.status.is_final() {
        return Err(format!("the status {} is final", intent.status.as_ref()));
    }
    let event = match status {
        Status::Succeeded => {
            succeed(intent, charges, webhooks, now);
            return Ok(());
        }
        Status::Canceled => {
            cancel(intent, None, webhooks, now);
            return Ok(());
        }
        Status::RequiresPaymentMethod => {
            intent.payment_method = None;
            intent.last_payment_error = Some(json!({
                "type": "card_error", "code": "payment_intent_payment_attempt_failed", "message": PROCESSING_FAILED,
            }));
            Some("payment_intent.payment_failed")
        }
        Status::RequiresConfirmation => None,
        Status::RequiresAction => Some("payment_intent.requires_action"),
        Status::Processing => Some("payment_intent.processing"),
        Status::RequiresCapture => Some("payment_intent.amount_capturable_updated"),
    };
    intent.status = status;
    if let Some(event) = event {
        webhooks.record_event(event, &intent.render(), now);
    }
    Ok(())
}
