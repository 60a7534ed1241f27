//! Secrets in AWS Secrets Manager.

use std::sync::Mutex;

use anyhow::Context;
use aws_sdk_secretsmanager::Client;
use aws_types::SdkConfig;
use platform::lock;
use secrecy::SecretString;

/// A secret in Secrets Manager. Its value is cached until [`Secret::invalidate`] is called.
#[derive(Debug)]
pub struct Secret {
    client: Client,
    id: String,
    cached: Mutex<Option<SecretString>>,
}

impl Secret {
    /// The secret with the name or ARN `id`.
    pub fn new(config: &SdkConfig, id: String) -> Self {
        Self { client: Client::new(config), id, cached: Mutex::new(None) }
    }

    /// Returns the secret's text.
    ///
    /// # Errors
    /// When the secret cannot be read or is binary.
    pub async fn get(&self) -> anyhow::Result<SecretString> {
        if let Some(cached) = lock(&self.cached).clone() {
            return Ok(cached);
        }
        let id = &self.id;
        let response = self.client.get_secret_value().secret_id(id).send().await;
        let response = response.with_context(|| format!("the secret {id} could not be read"))?;
        let text = response.secret_string().with_context(|| format!("the secret {id} is not text"))?;
        let secret = SecretString::from(text.trim().to_owned());
        *lock(&self.cached) = Some(secret.clone());
        Ok(secret)
    }

    /// Clears the cache. Call it when the secret was rejected, because it may have been rotated.
    pub fn invalidate(&self) {
        *lock(&self.cached) = None;
    }
}
