//! The signing secret of the Stripe webhook endpoint, in Secrets Manager.

use async_trait::async_trait;
use aws_secrets::Secret;
use secrecy::SecretString;

use crate::webhook::SecretSource;

#[async_trait]
impl SecretSource for Secret {
    async fn read(&self) -> anyhow::Result<SecretString> {
        self.invalidate();
        self.get().await
    }
}
