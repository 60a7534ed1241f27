//! What the emails say, in each language of [`localization`].

mod english;
mod french;
mod german;
mod japanese;

use domain::{Money, OrderId, ShortageKind, VoidReason};
use localization::Language;

use crate::decline::{Decline, Remedy};
use crate::email::EmailKind;

/// A sentence or a label of an email. Each language has one function that says every phrase; names have to be
/// [isolated](crate::bidi::isolate) beforehand.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Phrase<'a> {
    /// The subject line, without the name of the shop.
    Subject(EmailKind),
    /// The heading of the body.
    Heading(EmailKind),
    /// The salutation of the customer.
    Greeting {
        /// The name of the customer.
        name: &'a str,
    },
    /// The order is paid, or free if the amount is zero.
    Paid(Money),
    /// The order was rejected, and the customer was not charged. The shortages follow.
    Rejected,
    /// Why a product could not be reserved.
    Shortage {
        /// The name of the product.
        product: &'a str,
        /// Why it could not be reserved.
        kind: &'a ShortageKind,
    },
    /// Why the payment was declined.
    Declined(Decline),
    /// What the customer can do about it.
    Remedy(Remedy),
    /// Why the order was cancelled.
    Cancelled(VoidReason),
    /// The customer was not charged.
    NotCharged,
    /// The number of the order.
    Order(OrderId),
    /// The line above the rows of the order, in plain text.
    YourOrder(OrderId),
    /// A row of the order, in plain text.
    Row {
        /// The ordered quantity.
        quantity: u32,
        /// The name of the product.
        product: &'a str,
        /// The price of one piece.
        unit_price: Money,
    },
    /// The heading of the column of products.
    Product,
    /// The heading of the column of quantities.
    Quantity,
    /// The heading of the column of prices.
    UnitPrice,
    /// The label of the total.
    Total {
        /// The number of pieces of all products.
        pieces: u32,
    },
    /// A label and its value, in plain text.
    Labelled(&'a str, &'a str),
}

impl Phrase<'_> {
    /// Returns the phrase in a language.
    pub(crate) fn say_in(self, language: Language) -> String {
        match language {
            Language::English => english::say(self),
            Language::German => german::say(self),
            Language::French => french::say(self),
            Language::Japanese => japanese::say(self),
        }
    }
}
