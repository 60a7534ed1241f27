//! Secrets.

use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use aws_sdk_secretsmanager::Client;
use secrecy::SecretString;

/// A secret in Secrets Manager, read once and kept until it is said to be stale.
#[derive(Debug)]
pub struct Secret {
    client: Client,
    id: String,
    kept: Mutex<Option<SecretString>>,
}

impl Secret {
    /// The secret of that name or ARN.
    pub fn new(client: Client, id: String) -> Self {
        Self { client, id, kept: Mutex::new(None) }
    }

    /// The secret's text.
    ///
    /// # Errors
    /// When it cannot be read, or is no text.
    pub async fn get(&self) -> anyhow::Result<SecretString> {
        if let Some(kept) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Ok(kept);
        }
        let id = &self.id;
        let answer = self.client.get_secret_value().secret_id(id).send().await;
        let answer = answer.with_context(|| format!("the secret {id} could not be read"))?;
        let text = answer.secret_string().with_context(|| format!("the secret {id} is no text"))?;
        let secret = SecretString::from(text.trim().to_owned());
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(secret.clone());
        Ok(secret)
    }

    /// Has it read again next time: it was refused, so it may have been rotated.
    pub fn invalidate(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
