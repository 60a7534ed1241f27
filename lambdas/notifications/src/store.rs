//! The port: how mails are sent.

use async_trait::async_trait;
use platform::idempotency::EffectError;

use crate::mail::Mail;

/// Sends mails.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends one, and gives back what it is called there. A failure says whether it may have been sent.
    async fn send(&self, mail: &Mail) -> Result<String, EffectError>;
}
