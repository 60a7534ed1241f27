//! The ports of reports.

use async_trait::async_trait;
use secrecy::SecretString;

/// An email to the operator of the shop.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Mail {
    pub subject: String,
    pub text: String,
}

/// Sends the emails about reports.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends an email.
    async fn send(&self, mail: &Mail) -> anyhow::Result<()>;
}

/// The secret that signs links.
#[async_trait]
pub trait LinkSecret: Send + Sync {
    /// Returns the secret, from the cache if possible.
    async fn get(&self) -> anyhow::Result<SecretString>;

    /// Invalidates the cached secret, because it may have been changed.
    fn invalidate(&self);
}
