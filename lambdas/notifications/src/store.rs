//! The port for sending emails.

use async_trait::async_trait;
use platform::idempotency::EffectError;

use crate::mail::Email;

/// Sends emails.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends an email, and returns its message id. An error says whether it may have been sent nevertheless.
    async fn send(&self, email: &Email) -> Result<String, EffectError>;
}
