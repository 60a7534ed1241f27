//! An email and its kind.

use domain::EmailAddress;
use strum::AsRefStr;

/// An email, ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Email {
    /// The kind of the email. A customer receives each kind at most once per order.
    pub kind: EmailKind,
    /// The address of the recipient.
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
