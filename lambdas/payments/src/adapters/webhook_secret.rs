//! The secret that Stripe signs webhooks with, in Secrets Manager.

use async_trait::async_trait;
use aws_secrets::Secret;
use secrecy::SecretString;

use crate::webhook::SigningSecret;

#[async_trait]
impl SigningSecret for Secret {
    async fn read(&self) -> anyhow::Result<SecretString> {
        self.invalidate();
        self.get().await
    }
}
