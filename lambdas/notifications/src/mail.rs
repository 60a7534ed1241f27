//! What the mails say.

use askama::Template;
use domain::order::Line;
use domain::payment::VoidReason;
use domain::reservation::{Shortage, ShortageKind};
use domain::{EmailAddress, Event, Fact, Money, OrderDetails, OrderId};

/// A mail, ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// Which of an order's mails it is: a customer gets each once.
    pub kind: Kind,
    /// To whom.
    pub to: EmailAddress,
    /// The subject.
    pub subject: String,
    /// As plain text.
    pub text: String,
    /// As HTML, with the same content.
    pub html: String,
}

/// The mails that an order can lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Paid.
    Confirmation,
    /// Not to be had.
    Rejection,
    /// The payment was declined.
    PaymentFailure,
    /// Given up before it was charged.
    Cancellation,
}

impl Kind {
    /// Its name in the table and in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Confirmation => "confirmation",
            Self::Rejection => "rejection",
            Self::PaymentFailure => "payment_failure",
            Self::Cancellation => "cancellation",
        }
    }
}

/// A line as the mail shows it.
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

/// What both forms of a mail are made of.
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

/// The mail that an event leads to, from the shop called `shop`. `None` where it leads to none.
///
/// # Errors
/// When a template cannot be filled in.
pub fn compose(event: &Event, shop: &str) -> Result<Option<Mail>, askama::Error> {
    let (kind, order, subject, heading, paragraphs) = match &event.fact {
        Fact::PaymentSucceeded(paid) => (
            Kind::Confirmation,
            &paid.order,
            "Your order is confirmed",
            "Thank you for your order",
            vec![format!("We have received your payment of {} and are packing your order.", paid.amount)],
        ),
        Fact::ReservationRejected(rejected) => (
            Kind::Rejection,
            &rejected.order,
            "Your order could not be taken",
            "We are sorry",
            std::iter::once(
                "We could not take your order as you placed it. You have not been charged.".to_owned(),
            )
            .chain(rejected.shortages.iter().map(explain))
            .collect(),
        ),
        Fact::PaymentFailed(failed) => (
            Kind::PaymentFailure,
            &failed.order,
            "Your payment was declined",
            "Your payment was declined",
            vec![
                decline(failed.reason.decline_code.as_deref().unwrap_or(&failed.reason.code)).to_owned(),
                "You have not been charged. You are welcome to order again with another card.".to_owned(),
            ],
        ),
        Fact::PaymentVoided(voided) => (
            Kind::Cancellation,
            &voided.order,
            "Your order is cancelled",
            "Your order is cancelled",
            vec![
                match voided.reason {
                    VoidReason::CustomerRequest => "As you asked, we have cancelled your order.",
                    VoidReason::Expired => "We could not complete your order in time and have cancelled it.",
                    VoidReason::Provider => "The payment was stopped, and we have cancelled your order.",
                }
                .to_owned(),
                "You have not been charged.".to_owned(),
            ],
        ),
        _ => return Ok(None),
    };
    fill(event.subject, kind, order, shop, subject, heading, paragraphs).map(Some)
}

fn fill(
    id: OrderId,
    kind: Kind,
    order: &OrderDetails,
    shop: &str,
    subject: &str,
    heading: &'static str,
    paragraphs: Vec<String>,
) -> Result<Mail, askama::Error> {
    let content = Content {
        shop,
        order: id,
        name: order.customer.name.as_str(),
        heading,
        paragraphs,
        rows: order.lines.iter().map(Row::from).collect(),
        total: order.total,
    };
    Ok(Mail {
        kind,
        to: order.customer.email.clone(),
        subject: format!("{subject} ({shop})"),
        text: Text { mail: &content }.render()?,
        html: Html { mail: &content }.render()?,
    })
}

fn explain(shortage: &Shortage) -> String {
    let sku = &shortage.sku;
    match &shortage.kind {
        ShortageKind::UnknownProduct => format!("{sku} is not sold any more."),
        ShortageKind::OutOfStock { available: 0 } => format!("{sku} is sold out."),
        ShortageKind::OutOfStock { available } => format!("{sku}: only {available} left."),
        ShortageKind::PriceChanged { price } => format!("{sku} now costs {price}."),
    }
}

/// What to tell a customer of Stripe's codes (<https://docs.stripe.com/declines/codes> says which to keep from them).
fn decline(code: &str) -> &'static str {
    match code {
        "insufficient_funds" => "Your card does not have enough funds for this payment.",
        "expired_card" => "Your card has expired.",
        "incorrect_cvc" => "The security code of your card was not right.",
        "authentication_required" => "Your bank wants you to confirm the payment yourself.",
        _ => "Your bank declined the payment.",
    }
}
