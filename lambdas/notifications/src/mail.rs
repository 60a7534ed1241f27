//! The emails and their content.

use askama::Template;
use domain::{
    DeclineReason, EmailAddress, Event, Fact, Line, Money, OrderDetails, OrderId, Shortage, ShortageKind,
    VoidReason,
};
use strum::AsRefStr;

/// An email, ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Email {
    /// The kind of the email. A customer receives each kind at most once per order.
    pub kind: EmailKind,
    /// The recipient.
    pub to: EmailAddress,
    /// The subject line.
    pub subject: String,
    /// The body as plain text.
    pub text: String,
    /// The body as HTML, with the same content.
    pub html: String,
}

/// The kinds of emails about an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsRefStr)]
#[strum(serialize_all = "snake_case")]
pub enum EmailKind {
    /// The order is paid.
    Confirmation,
    /// The order was rejected because of its products: out of stock, discontinued or with another price.
    Rejection,
    /// The payment was declined.
    PaymentFailure,
    /// The order was cancelled before the customer was charged.
    Cancellation,
}

/// A line of the order as the email shows it.
struct Row {
    sku: String,
    quantity: u32,
    price: Money,
}

impl From<&Line> for Row {
    fn from(line: &Line) -> Self {
        Self { sku: line.sku.to_string(), quantity: line.quantity.get(), price: line.unit_price }
    }
}

/// The input of both templates.
struct Content<'a> {
    shop: &'a str,
    order: OrderId,
    name: &'a str,
    heading: &'static str,
    paragraphs: Vec<String>,
    rows: Vec<Row>,
    total: Money,
}

#[derive(Template)]
#[template(path = "mail.txt")]
struct Text<'a> {
    mail: &'a Content<'a>,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct Html<'a> {
    mail: &'a Content<'a>,
}

/// Composes the email about an event, in the name of `shop`. Returns `None` if the event causes no email.
///
/// # Errors
/// When a template cannot be rendered.
pub fn compose(event: &Event, shop: &str) -> Result<Option<Email>, askama::Error> {
    let (kind, order, subject, heading, paragraphs) = match &event.fact {
        Fact::PaymentSucceeded(paid) => (
            EmailKind::Confirmation,
            &paid.order,
            "Your order is confirmed",
            "Thank you for your order",
            vec![if paid.amount.is_zero() {
                "There is nothing to pay. We are packing your order.".to_owned()
            } else {
                format!("We have received your payment of {} and are packing your order.", paid.amount)
            }],
        ),
        Fact::ReservationRejected(rejected) => (
            EmailKind::Rejection,
            &rejected.order,
            "We could not accept your order",
            "We are sorry",
            std::iter::once(
                "We could not accept your order as you placed it. You have not been charged.".to_owned(),
            )
            .chain(rejected.shortages.iter().map(describe_shortage))
            .collect(),
        ),
        Fact::PaymentFailed(failed) => (
            EmailKind::PaymentFailure,
            &failed.order,
            "Your payment was declined",
            "Your payment was declined",
            decline_paragraphs(&failed.reason).map(str::to_owned).into(),
        ),
        Fact::PaymentVoided(voided) => (
            EmailKind::Cancellation,
            &voided.order,
            "Your order is cancelled",
            "Your order is cancelled",
            vec![
                match voided.reason {
                    VoidReason::CustomerRequest => "As you requested, we have cancelled your order.",
                    VoidReason::Expired => "We could not complete your order in time and have cancelled it.",
                    VoidReason::Provider => "The payment was cancelled, so we have cancelled your order.",
                }
                .to_owned(),
                "You have not been charged.".to_owned(),
            ],
        ),
        _ => return Ok(None),
    };
    render(event.subject, kind, order, shop, subject, heading, paragraphs).map(Some)
}

fn render(
    id: OrderId,
    kind: EmailKind,
    order: &OrderDetails,
    shop: &str,
    subject: &str,
    heading: &'static str,
    paragraphs: Vec<String>,
) -> Result<Email, askama::Error> {
    let content = Content {
        shop,
        order: id,
        name: order.customer.name.as_str(),
        heading,
        paragraphs,
        rows: order.lines.iter().map(Row::from).collect(),
        total: order.total,
    };
    Ok(Email {
        kind,
        to: order.customer.email.clone(),
        subject: format!("{subject} ({shop})"),
        text: Text { mail: &content }.render()?,
        html: Html { mail: &content }.render()?,
    })
}

fn describe_shortage(shortage: &Shortage) -> String {
    let sku = &shortage.sku;
    match &shortage.kind {
        ShortageKind::UnknownProduct => format!("{sku} is no longer available."),
        ShortageKind::OutOfStock { available: 0 } => format!("{sku} is sold out."),
        ShortageKind::OutOfStock { available } => format!("{sku}: only {available} left."),
        ShortageKind::PriceChanged { price } => format!("{sku} now costs {price}."),
    }
}

/// Returns the explanation of a decline for the customer, and what to do.
fn decline_paragraphs(reason: &DeclineReason) -> [&'static str; 2] {
    let refusal = match (reason.code.as_str(), &reason.decline_code) {
        (DeclineReason::AMOUNT_TOO_SMALL, _) => {
            "The total of your order is less than our payment provider can charge."
        }
        (DeclineReason::AMOUNT_TOO_LARGE, _) => {
            "The total of your order is more than our payment provider can charge."
        }
        (DeclineReason::AMOUNT_NOT_SUPPORTED | DeclineReason::CURRENCY_NOT_SUPPORTED, _) => {
            "Our payment provider cannot charge the total of your order in this currency."
        }
        (code, None) if !is_card_error(code) => "Our payment provider could not accept the payment.",
        (code, decline_code) => {
            return [
                decline_message(decline_code.as_deref().unwrap_or(code)),
                "You have not been charged. You are welcome to order again with another card.",
            ];
        }
    };
    [refusal, "You have not been charged."]
}

/// Returns whether another card may help: <https://docs.stripe.com/error-codes>.
fn is_card_error(code: &str) -> bool {
    matches!(code, "authentication_required" | "expired_card" | "processing_error" | "resource_missing")
        || ["card_", "incorrect_", "payment_method_"].iter().any(|start| code.starts_with(start))
}

/// Returns the explanation of a decline code for the customer. Some codes must not be revealed:
/// <https://docs.stripe.com/declines/codes>.
fn decline_message(code: &str) -> &'static str {
    match code {
        "insufficient_funds" => "Your card does not have enough funds for this payment.",
        "expired_card" => "Your card has expired.",
        "incorrect_cvc" => "The security code of your card was incorrect.",
        "authentication_required" => "Your bank requires you to authenticate the payment.",
        _ => "Your bank declined the payment.",
    }
}
