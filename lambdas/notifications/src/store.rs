//! The port for sending emails.

use async_trait::async_trait;
use platform::idempotency::EffectError;

use crate::mail::Email;

/// The outcome of sending an email.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// It was accepted for delivery.
    Accepted {
        /// Its message id.
        message_id: String,
    },
    /// The address of the recipient is refused, and always will be: nothing was sent.
    Undeliverable {
        /// The error code.
        code: String,
    },
}

/// How the receipt of an undeliverable email starts; a message id has no space.
const UNDELIVERABLE: &str = "undeliverable: ";

impl Delivery {
    /// The receipt that is recorded.
    pub(crate) fn into_receipt(self) -> String {
        match self {
            Self::Accepted { message_id } => message_id,
            Self::Undeliverable { code } => format!("{UNDELIVERABLE}{code}"),
        }
    }

    /// Whether a receipt is that of an undeliverable email.
    pub(crate) fn is_undeliverable(receipt: &str) -> bool {
        receipt.starts_with(UNDELIVERABLE)
    }
}

/// Sends emails to customers.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends an email. An error says whether it may have been sent nevertheless.
    async fn send(&self, email: &Email) -> Result<Delivery, EffectError>;
}
