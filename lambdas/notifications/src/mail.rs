//! The content of the emails, in the language of the customer.

use std::collections::BTreeMap;

use askama::Template;
use domain::{Event, Fact, Line, OrderDetails, ProductName, Sku};
use localization::Language;

use crate::bidi::{isolate, to_elements};
use crate::decline::Decline;
use crate::phrase::Phrase;

pub use crate::email::{Email, EmailKind};

/// A line of the order as the email shows it.
struct Row {
    product: String,
    quantity: String,
    unit_price: String,
    /// All of it, in plain text.
    text: String,
}

/// The input of both templates. Names are isolated with the characters for plain text.
struct Content {
    language: Language,
    shop: String,
    heading: String,
    greeting: String,
    paragraphs: Vec<String>,
    columns: [String; 3],
    rows: Vec<Row>,
    total_label: String,
    total: String,
    /// The number of the order as a label, and as the line above the rows in plain text.
    order: String,
    your_order: String,
    /// The label of the total with its value, in plain text.
    total_text: String,
}

#[derive(Template)]
#[template(path = "mail.txt")]
struct Text<'a> {
    mail: &'a Content,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct Html<'a> {
    mail: &'a Content,
}

/// Composes the email about an event, in the name of `shop` and in the language of the customer. A product
/// that is not in `names` is shown with its SKU. Returns `None` if the event causes no email.
///
/// # Errors
/// When a template cannot be rendered.
pub fn compose(
    event: &Event,
    shop: &str,
    names: &BTreeMap<Sku, ProductName>,
) -> Result<Option<Email>, askama::Error> {
    let Some((kind, order)) = kind_and_order(&event.fact) else { return Ok(None) };
    let language = Language::from_preference(order.customer.language.as_ref());
    let writer = Writer { language, names };
    let pieces = order.lines.iter().map(|line| line.quantity.get()).fold(0, u32::saturating_add);
    let total_label = writer.say(Phrase::Total { pieces });
    let total = language.format_money(order.total);
    let content = Content {
        language,
        shop: isolate(shop),
        heading: writer.say(Phrase::Heading(kind)),
        greeting: writer.say(Phrase::Greeting { name: &isolate(order.customer.name.as_str()) }),
        paragraphs: writer.paragraphs(&event.fact),
        columns: [Phrase::Product, Phrase::Quantity, Phrase::UnitPrice].map(|column| writer.say(column)),
        rows: order.lines.iter().map(|line| writer.row(line)).collect(),
        total_text: writer.say(Phrase::Labelled(&total_label, &total)),
        total_label,
        total,
        order: writer.say(Phrase::Order(event.subject)),
        your_order: writer.say(Phrase::YourOrder(event.subject)),
    };
    Ok(Some(Email {
        kind,
        to: order.customer.email.clone(),
        // The name of the shop needs no isolation here: nothing but a parenthesis follows it.
        subject: format!("{} ({shop})", writer.say(Phrase::Subject(kind))),
        text: Text { mail: &content }.render()?,
        html: to_elements(&Html { mail: &content }.render()?),
    }))
}

/// Returns the kind of the email that a fact causes, and the order that it is about.
pub fn kind_and_order(fact: &Fact) -> Option<(EmailKind, &OrderDetails)> {
    match fact {
        Fact::PaymentSucceeded(paid) => Some((EmailKind::Confirmation, &paid.order)),
        Fact::ReservationRejected(rejected) => Some((EmailKind::Rejection, &rejected.order)),
        Fact::PaymentFailed(failed) => Some((EmailKind::PaymentFailure, &failed.order)),
        Fact::PaymentVoided(voided) => Some((EmailKind::Cancellation, &voided.order)),
        _ => None,
    }
}

/// Writes the parts of one email.
struct Writer<'a> {
    language: Language,
    names: &'a BTreeMap<Sku, ProductName>,
}

impl Writer<'_> {
    fn say(&self, phrase: Phrase<'_>) -> String {
        phrase.say_in(self.language)
    }

    /// Returns the isolated name of a product, or its SKU.
    fn product(&self, sku: &Sku) -> String {
        isolate(self.names.get(sku).map_or(sku.as_str(), ProductName::as_str))
    }

    fn row(&self, line: &Line) -> Row {
        let (product, quantity) = (self.product(&line.sku), line.quantity.get());
        Row {
            quantity: self.language.format_count(quantity),
            unit_price: self.language.format_money(line.unit_price),
            text: self.say(Phrase::Row { quantity, product: &product, unit_price: line.unit_price }),
            product,
        }
    }

    /// Returns what the email says above the order.
    fn paragraphs(&self, fact: &Fact) -> Vec<String> {
        match fact {
            Fact::PaymentSucceeded(paid) => vec![self.say(Phrase::Paid(paid.amount))],
            Fact::ReservationRejected(rejected) => {
                let shortages = rejected.shortages.iter().map(|shortage| {
                    let product = self.product(&shortage.sku);
                    self.say(Phrase::Shortage { product: &product, kind: &shortage.kind })
                });
                std::iter::once(self.say(Phrase::Rejected)).chain(shortages).collect()
            }
            Fact::PaymentFailed(failed) => {
                let decline = Decline::from(&failed.reason);
                let said = [Phrase::Declined(decline), Phrase::NotCharged].map(|phrase| self.say(phrase));
                let remedy = decline.remedy().map(|remedy| self.say(Phrase::Remedy(remedy)));
                said.into_iter().chain(remedy).collect()
            }
            Fact::PaymentVoided(voided) => {
                vec![self.say(Phrase::Cancelled(voided.reason)), self.say(Phrase::NotCharged)]
            }
            _ => Vec::new(),
        }
    }
}
