//! PaymentIntents and their states: <https://docs.stripe.com/payments/paymentintents/lifecycle>.
//!
//! Every function here runs under the account's lock, so a confirmation is atomic: of two concurrent ones,
//! the first captures the money and the second finds the PaymentIntent `succeeded`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strum::AsRefStr;

use crate::account::{Account, new_id};
use crate::cards::{Behaviour, Card};
use crate::error::{Result, StripeError};
use crate::transitions;

/// The status of a PaymentIntent. (`requires_capture` occurs only if the control API sets it: the stand-in does not
/// support manual capture.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, AsRefStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    /// There is no card yet, or the last one was declined.
    RequiresPaymentMethod,
    /// A card is attached; the PaymentIntent waits for its confirmation.
    RequiresConfirmation,
    /// The customer has to authenticate.
    RequiresAction,
    /// The charge is being processed, which can take days. It ends in `succeeded` or `requires_payment_method`.
    Processing,
    /// The money is authorized and has to be captured.
    RequiresCapture,
    /// The money was captured. Final.
    Succeeded,
    /// The PaymentIntent can no longer be confirmed. Final.
    Canceled,
}

impl Status {
    /// Returns whether the status never changes again.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Canceled)
    }
}

/// The payment methods that a PaymentIntent accepts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AcceptedPaymentMethods {
    /// Cards only: `payment_method_types[]=card`.
    Cards,
    /// Those that are enabled in the dashboard, which is Stripe's default.
    Automatic {
        /// Whether `allow_redirects` is `always`, the default, and not `never`.
        redirects: bool,
    },
}

/// A PaymentIntent; only the fields whose values vary.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct PaymentIntent {
    /// `pi_…`
    pub id: String,
    /// In the currency's minor unit.
    pub amount: u64,
    /// The ISO 4217 code in lower case.
    pub currency: String,
    pub status: Status,
    pub metadata: BTreeMap<String, String>,
    pub description: Option<String>,
    /// The address to which Stripe would send its receipt.
    pub receipt_email: Option<String>,
    /// The id (`pm_…`) of the card, until it is declined.
    pub payment_method: Option<String>,
    /// The payment methods that it accepts.
    pub accepts: AcceptedPaymentMethods,
    /// The id of the last charge, successful or declined.
    pub latest_charge: Option<String>,
    /// The error of the last failed attempt.
    pub last_payment_error: Option<Value>,
    pub created: Timestamp,
    pub canceled_at: Option<Timestamp>,
    /// The reason that the request gave.
    pub cancellation_reason: Option<String>,
}

impl PaymentIntent {
    /// Returns the order that the PaymentIntent is for: `metadata[order_id]`.
    pub fn order_id(&self) -> Option<&str> {
        self.metadata.get("order_id").map(String::as_str)
    }

    /// Returns the PaymentIntent as an API object.
    pub fn render(&self) -> Value {
        let automatic_payment_methods = match self.accepts {
            AcceptedPaymentMethods::Cards => Value::Null,
            AcceptedPaymentMethods::Automatic { redirects } => {
                json!({ "enabled": true, "allow_redirects": if redirects { "always" } else { "never" } })
            }
        };
        let received = if self.status == Status::Succeeded { self.amount } else { 0 };
        let next_action = (self.status == Status::RequiresAction).then(|| {
            json!({ "type": "use_stripe_sdk", "use_stripe_sdk": { "type": "three_d_secure_redirect", "source": self.id } })
        });
        json!({
            "id": self.id,
            "object": "payment_intent",
            "amount": self.amount,
            "amount_capturable": if self.status == Status::RequiresCapture { self.amount } else { 0 },
            "amount_details": { "tip": {} },
            "amount_received": received,
            "application": null,
            "application_fee_amount": null,
            "automatic_payment_methods": automatic_payment_methods,
            "canceled_at": self.canceled_at.map(Timestamp::as_second),
            "cancellation_reason": self.cancellation_reason,
            "capture_method": "automatic_async",
            "client_secret": format!("{}_secret_local", self.id),
            "confirmation_method": "automatic",
            "created": self.created.as_second(),
            "currency": self.currency,
            "customer": null,
            "description": self.description,
            "last_payment_error": self.last_payment_error,
            "latest_charge": self.latest_charge,
            "livemode": false,
            "metadata": self.metadata,
            "next_action": next_action,
            "on_behalf_of": null,
            "payment_method": self.payment_method,
            "payment_method_configuration_details": null,
            "payment_method_options": { "card": { "request_three_d_secure": "automatic" } },
            "payment_method_types": ["card"],
            "processing": (self.status == Status::Processing).then(|| json!({ "type": "card", "card": {} })),
            "receipt_email": self.receipt_email,
            "review": null,
            "setup_future_usage": null,
            "shipping": null,
            "source": null,
            "statement_descriptor": null,
            "statement_descriptor_suffix": null,
            "status": self.status,
            "transfer_data": null,
            "transfer_group": null,
        })
    }

    fn unexpected_state(&self, message: String) -> Box<StripeError> {
        StripeError::invalid(message)
            .with_code("payment_intent_unexpected_state")
            .with_payment_intent(self.render())
    }
}

/// The parameters of a new PaymentIntent.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct NewIntent {
    /// In the currency's minor unit.
    pub amount: u64,
    /// The ISO 4217 code in lower case.
    pub currency: String,
    pub metadata: BTreeMap<String, String>,
    pub description: Option<String>,
    /// The address to which Stripe would send its receipt.
    pub receipt_email: Option<String>,
    /// The name of a test card, or the id of a payment method.
    pub payment_method: Option<String>,
    /// The payment methods that it accepts.
    pub accepts: AcceptedPaymentMethods,
    /// Confirms the PaymentIntent immediately (`confirm=true`).
    pub confirm: Option<Confirmation>,
}

/// The parameters of a confirmation.
#[derive(Debug, Default)]
pub struct Confirmation {
    /// The name of a test card, or the id of a payment method; by default the attached one.
    pub payment_method: Option<String>,
    /// Where the customer returns to after a redirect.
    pub return_url: Option<String>,
    /// Whether the confirmation fails if the customer has to authenticate: `error_on_requires_action` or
    /// `off_session`.
    pub fail_on_action: bool,
}

/// Returns the PaymentIntent with this id.
///
/// # Errors
/// 404 when there is none.
pub fn find<'a>(account: &'a Account, id: &str) -> Result<&'a PaymentIntent> {
    account.payment_intents.get(id).ok_or_else(|| no_such_intent(404, id, "intent"))
}

/// Returns the error for the id of a PaymentIntent that does not exist.
pub fn no_such_intent(status: u16, id: &str, param: &str) -> Box<StripeError> {
    StripeError::resource_missing(status, format!("No such payment_intent: '{id}'"), param)
}

/// Creates a PaymentIntent: `POST /v1/payment_intents`.
///
/// # Errors
/// 400 for a payment method that does not exist; with `confirm`, the errors of [`confirm`].
pub fn create(account: &mut Account, new: NewIntent, now: Timestamp) -> Result<Value> {
    let payment_method = new.payment_method.map(|name| attach_payment_method(account, &name)).transpose()?;
    let status =
        if payment_method.is_some() { Status::RequiresConfirmation } else { Status::RequiresPaymentMethod };
    let intent = PaymentIntent {
        id: new_id("pi"),
        amount: new.amount,
        currency: new.currency,
        status,
        metadata: new.metadata,
        description: new.description,
        receipt_email: new.receipt_email,
        payment_method,
        accepts: new.accepts,
        latest_charge: None,
        last_payment_error: None,
        created: now,
        canceled_at: None,
        cancellation_reason: None,
    };
    let (id, rendered) = (intent.id.clone(), intent.render());
    account.payment_intents.insert(id.clone(), intent);
    match new.confirm {
        Some(confirmation) => confirm(account, &id, confirmation, now),
        None => Ok(rendered),
    }
}

/// Confirms a PaymentIntent, which captures the money unless the card is declined:
/// `POST /v1/payment_intents/{id}/confirm`.
///
/// # Errors
/// 402 when the card is declined; 400 when the PaymentIntent is final, has no payment method, or could
/// redirect the customer and has no `return_url`; 404 when it does not exist.
pub fn confirm(account: &mut Account, id: &str, confirmation: Confirmation, now: Timestamp) -> Result<Value> {
    let intent = find(account, id)?;
    match intent.status {
        Status::Succeeded => {
            let message = "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed.";
            return Err(intent.unexpected_state(message.to_owned()));
        }
        Status::Canceled => {
            let message = "This PaymentIntent's payment_method could not be updated because it has a status of canceled. You may only update the payment_method of a PaymentIntent with one of the following statuses: requires_payment_method, requires_confirmation, requires_action.";
            return Err(intent.unexpected_state(message.to_owned()));
        }
        Status::Processing | Status::RequiresCapture => {
            let message = format!(
                "You cannot confirm this PaymentIntent because it has a status of {}. Only a PaymentIntent with one of the following statuses may be confirmed: requires_confirmation, requires_action, requires_payment_method.",
                intent.status.as_ref()
            );
            return Err(intent.unexpected_state(message));
        }
        Status::RequiresPaymentMethod | Status::RequiresConfirmation | Status::RequiresAction => {}
    }
    if intent.accepts == (AcceptedPaymentMethods::Automatic { redirects: true })
        && confirmation.return_url.is_none()
    {
        let message = "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these payment methods might redirect your customer off of your page, you must provide a `return_url`. If you don't want to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and `automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents.";
        return Err(StripeError::invalid(message).with_payment_intent(intent.render()));
    }
    let attached = intent.payment_method.clone();
    let method = match confirmation.payment_method {
        Some(name) => attach_payment_method(account, &name)?,
        None => match attached {
            Some(method) => method,
            None => {
                let message = "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment method or ConfirmationToken.";
                return Err(find(account, id)?.unexpected_state(message.to_owned()));
            }
        },
    };
    let card = find_card(account, &method)?;
    let Account { payment_intents, charges, webhooks, .. } = account;
    let intent = payment_intents.get_mut(id).ok_or_else(|| no_such_intent(404, id, "intent"))?;
    match card.behaviour {
        Behaviour::Succeeds => {
            intent.payment_method = Some(method);
            transitions::succeed(intent, charges, webhooks, now);
            Ok(intent.render())
        }
        Behaviour::Processes => {
            intent.payment_method = Some(method);
            intent.status = Status::Processing;
            let rendered = intent.render();
            webhooks.record_event("payment_intent.processing", &rendered, now);
            Ok(rendered)
        }
        Behaviour::RequiresAuthentication if !confirmation.fail_on_action => {
            intent.status = Status::RequiresAction;
            intent.payment_method = Some(method);
            Ok(intent.render())
        }
        Behaviour::RequiresAuthentication => {
            let message = "Your card was declined. This transaction requires authentication.";
            let code = "authentication_required";
            let error = decline(intent, card, &method, code, Some(code), message);
            webhooks.record_event("payment_intent.payment_failed", &intent.render(), now);
            Err(error)
        }
        Behaviour::Declines { code, decline_code, message } => {
            let error = decline(intent, card, &method, code, decline_code, message);
            webhooks.record_event("payment_intent.payment_failed", &intent.render(), now);
            Err(error)
        }
    }
}

/// Cancels a PaymentIntent: `POST /v1/payment_intents/{id}/cancel`.
///
/// # Errors
/// 400 when it is already succeeded or canceled, or is being processed (Stripe cancels it even then "in rare
/// cases"); 404 when it does not exist.
pub fn cancel(account: &mut Account, id: &str, reason: Option<String>, now: Timestamp) -> Result<Value> {
    let Account { payment_intents, webhooks, .. } = account;
    let intent = payment_intents.get_mut(id).ok_or_else(|| no_such_intent(404, id, "intent"))?;
    if intent.status.is_final() || intent.status == Status::Processing {
        return Err(intent.unexpected_state(format!(
            "You cannot cancel this PaymentIntent because it has a status of {}. Only a PaymentIntent with one of the following statuses may be canceled: requires_payment_method, requires_capture, requires_confirmation, requires_action.",
            intent.status.as_ref()
        )));
    }
    transitions::cancel(intent, reason, webhooks, now);
    Ok(intent.render())
}

/// Records a declined attempt: the PaymentIntent requires a new payment method and keeps the error.
fn decline(
    intent: &mut PaymentIntent,
    card: &Card,
    method: &str,
    code: &'static str,
    decline_code: Option<&'static str>,
    message: &str,
) -> Box<StripeError> {
    let mut error = StripeError::card_declined(message).with_code(code);
    error.decline_code = decline_code;
    error.charge = Some(new_id("ch"));
    error.payment_method = Some(card.render(method));
    intent.status = Status::RequiresPaymentMethod;
    intent.payment_method = None;
    intent.latest_charge.clone_from(&error.charge);
    intent.last_payment_error = Some(json!(&*error));
    error.with_payment_intent(intent.render())
}

/// Returns the id of a payment method. The name of a test card creates a new one, as at Stripe.
fn attach_payment_method(account: &mut Account, name: &str) -> Result<String> {
    if let Some(card) = Card::by_name(name) {
        let id = new_id("pm");
        account.payment_methods.insert(id.clone(), card.name.to_owned());
        return Ok(id);
    }
    find_card(account, name)?;
    Ok(name.to_owned())
}

fn find_card(account: &Account, method: &str) -> Result<&'static Card> {
    let name = account.payment_methods.get(method);
    name.and_then(|name| Card::by_name(name)).ok_or_else(|| {
        StripeError::resource_missing(400, format!("No such PaymentMethod: '{method}'"), "payment_method")
    })
}
