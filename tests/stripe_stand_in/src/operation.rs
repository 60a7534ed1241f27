//! The operations of the API: their parameters and their execution.
//!
//! Parsing and execution are separate steps because Stripe saves nothing under an idempotency key if parsing
//! fails.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::account::Account;
use crate::error::{Result, StripeError};
use crate::form::Form;
use crate::intents::{self, AcceptedPaymentMethods, Confirmation, NewIntent};
use crate::limits;
use crate::refunds::{self, NewRefund};

/// An operation of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// `POST /v1/payment_intents`
    Create,
    /// `POST /v1/payment_intents/{id}/confirm`
    Confirm,
    /// `GET /v1/payment_intents/{id}`
    Retrieve,
    /// `POST /v1/payment_intents/{id}/cancel`
    Cancel,
    /// `GET /v1/payment_intents`
    List,
    /// `POST /v1/refunds`
    Refund,
    /// `GET /v1/refunds/{id}`
    RetrieveRefund,
    /// `GET /v1/refunds`
    ListRefunds,
}

/// An operation with valid parameters.
#[derive(Debug)]
pub enum Command {
    /// Creates a PaymentIntent.
    Create(NewIntent),
    /// Confirms a PaymentIntent, which captures the money.
    Confirm(String, Confirmation),
    /// Returns a PaymentIntent.
    Retrieve(String),
    /// Cancels a PaymentIntent, with an optional reason.
    Cancel(String, Option<String>),
    /// Lists PaymentIntents, newest first.
    List(Page),
    /// Refunds a charge in whole or in part.
    Refund(NewRefund),
    /// Returns a refund.
    RetrieveRefund(String),
    /// Lists refunds, newest first; only those of one PaymentIntent if it is given.
    ListRefunds(Page, Option<String>),
}

/// The pagination parameters of a list: <https://docs.stripe.com/api/pagination>.
#[derive(Debug)]
pub struct Page {
    limit: usize,
    starting_after: Option<String>,
}

impl Command {
    /// Parses the parameters of an operation. `id` is the id in the path, if there is one.
    ///
    /// # Errors
    /// 400 with the name of the parameter that is missing, invalid or unknown.
    pub fn parse(operation: Operation, id: String, mut form: Form) -> Result<Self> {
        let command = match operation {
            Operation::Create => Self::Create(parse_new_intent(&mut form)?),
            Operation::Confirm => Self::Confirm(id, parse_confirmation(&mut form)?),
            Operation::Retrieve => Self::Retrieve(id),
            Operation::Cancel => {
                let reasons = ["duplicate", "fraudulent", "requested_by_customer", "abandoned"];
                Self::Cancel(id, form.one_of("cancellation_reason", &reasons)?)
            }
            Operation::List => Self::List(parse_page(&mut form)?),
            Operation::Refund => Self::Refund(NewRefund {
                payment_intent: form.required("payment_intent")?,
                amount: form.integer("amount")?,
                reason: form.one_of("reason", &["duplicate", "fraudulent", "requested_by_customer"])?,
                metadata: form.metadata()?,
            }),
            Operation::RetrieveRefund => Self::RetrieveRefund(id),
            Operation::ListRefunds => Self::ListRefunds(parse_page(&mut form)?, form.text("payment_intent")?),
        };
        form.finish()?;
        Ok(command)
    }

    /// Executes the operation.
    ///
    /// # Errors
    /// The error response of the operation: see [`intents`] and [`refunds`].
    pub fn execute(self, account: &mut Account, now: Timestamp) -> Result<Value> {
        match self {
            Self::Create(new) => intents::create(account, new, now),
            Self::Confirm(id, confirmation) => intents::confirm(account, &id, confirmation, now),
            Self::Retrieve(id) => intents::find(account, &id).map(intents::PaymentIntent::render),
            Self::Cancel(id, reason) => intents::cancel(account, &id, reason, now),
            Self::List(page) => {
                let all = account.payment_intents.values().rev().map(|intent| (intent.id.as_str(), intent));
                page.apply("/v1/payment_intents", all, intents::PaymentIntent::render)
            }
            Self::Refund(new) => refunds::create(account, new, now),
            Self::RetrieveRefund(id) => refunds::find(account, &id).map(refunds::Refund::render),
            Self::ListRefunds(page, payment_intent) => {
                let wanted = |refund: &&refunds::Refund| {
                    payment_intent.as_ref().is_none_or(|id| *id == refund.payment_intent)
                };
                let all =
                    account.refunds.values().rev().filter(wanted).map(|refund| (refund.id.as_str(), refund));
                page.apply("/v1/refunds", all, refunds::Refund::render)
            }
        }
    }
}

impl Page {
    fn apply<'a, T: 'a>(
        self,
        url: &str,
        newest_first: impl Iterator<Item = (&'a str, &'a T)>,
        render: impl Fn(&T) -> Value,
    ) -> Result<Value> {
        let mut rest = newest_first;
        if let Some(last_seen) = self.starting_after
            && !rest.by_ref().any(|(id, _)| id == last_seen)
        {
            let message = format!("No such object: '{last_seen}'");
            return Err(StripeError::resource_missing(400, message, "starting_after"));
        }
        let data: Vec<Value> = rest.by_ref().take(self.limit).map(|(_, item)| render(item)).collect();
        let has_more = rest.next().is_some();
        Ok(json!({ "object": "list", "url": url, "has_more": has_more, "data": data }))
    }
}

fn parse_page(form: &mut Form) -> Result<Page> {
    let limit = form.integer("limit")?.unwrap_or(10);
    match usize::try_from(limit) {
        Ok(limit) if limit <= 100 => Ok(Page { limit, starting_after: form.text("starting_after")? }),
        _ => Err(StripeError::invalid(format!(
            "This value must be less than or equal to 100 (it currently is '{limit}')."
        ))
        .with_code("parameter_invalid_integer")
        .with_param("limit")),
    }
}

fn parse_new_intent(form: &mut Form) -> Result<NewIntent> {
    let amount = form.integer("amount")?.ok_or_else(|| {
        StripeError::invalid("Missing required param: amount.")
            .with_code("parameter_missing")
            .with_param("amount")
    })?;
    let currency = limits::parse_currency(&form.required("currency")?)?;
    limits::check_amount(amount, &currency)?;
    if let Some(customer) = form.text("customer")? {
        // The stand-in cannot create customers, so none exists.
        return Err(StripeError::resource_missing(
            400,
            format!("No such customer: '{customer}'"),
            "customer",
        ));
    }
    let payment_method = form.text("payment_method")?;
    let confirm = if form.boolean("confirm")? == Some(true) {
        Some(parse_confirmation(form)?)
    } else {
        for param in ["error_on_requires_action", "off_session", "return_url"] {
            if form.peek(param).is_some() {
                let message = format!("The parameter `{param}` can only be used with `confirm=true`.");
                return Err(StripeError::invalid(message).with_param(param));
            }
        }
        None
    };
    Ok(NewIntent {
        amount,
        currency,
        metadata: form.metadata()?,
        description: form.text("description")?,
        receipt_email: form.text("receipt_email")?,
        payment_method,
        accepts: parse_accepted_payment_methods(form)?,
        confirm,
    })
}

fn parse_confirmation(form: &mut Form) -> Result<Confirmation> {
    let error_on_requires_action = form.boolean("error_on_requires_action")?;
    let off_session = form.boolean("off_session")?;
    Ok(Confirmation {
        payment_method: form.text("payment_method")?,
        return_url: form.text("return_url")?,
        fail_on_action: error_on_requires_action == Some(true) || off_session == Some(true),
    })
}

fn parse_accepted_payment_methods(form: &mut Form) -> Result<AcceptedPaymentMethods> {
    let types = form.list("payment_method_types");
    let enabled = form.boolean("automatic_payment_methods[enabled]")?;
    let redirects = form.one_of("automatic_payment_methods[allow_redirects]", &["always", "never"])?;
    if let Some(other) = types.iter().find(|kind| *kind != "card") {
        let message =
            format!("The payment method type \"{other}\" is invalid: the stand-in supports \"card\" only.");
        return Err(StripeError::invalid(message).with_param("payment_method_types"));
    }
    match (types.is_empty(), enabled) {
        (false, Some(true)) => Err(StripeError::invalid(
            "You may only specify one of these parameters: automatic_payment_methods, payment_method_types.",
        )),
        (false, _) | (true, Some(false)) => Ok(AcceptedPaymentMethods::Cards),
        (true, _) => {
            Ok(AcceptedPaymentMethods::Automatic { redirects: redirects.as_deref() != Some("never") })
        }
    }
}
