//! The signing secrets of the webhook endpoint.
//!
//! The secret in Secrets Manager is text that contains one `whsec_…` key, or two separated by white space
//! while the key is being rotated: Stripe can keep the old key valid for up to a day beside the new one
//! (<https://docs.stripe.com/webhooks#roll-endpoint-secrets>). If the text contains none, as in a new stack,
//! every request is rejected.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use platform::{Clock, lock};
use secrecy::{ExposeSecret, SecretString};

/// The prefix of every signing secret of Stripe. It is part of the key.
const PREFIX: &str = "whsec_";
/// The minimum time between two reads, so that requests with invalid signatures do not cause a read each.
const MIN_REFRESH_INTERVAL: Duration = Duration::from_secs(60);

/// The source of the secret text.
#[async_trait]
pub trait SecretSource: Send + Sync {
    /// Reads the current text, bypassing any cache.
    async fn read(&self) -> anyhow::Result<SecretString>;
}

/// A cache of the current signing secrets.
pub struct Secrets {
    source: Arc<dyn SecretSource>,
    clock: Arc<dyn Clock>,
    cache: Mutex<Option<CachedSecrets>>,
}

#[derive(Clone)]
struct CachedSecrets {
    secrets: Arc<[SecretString]>,
    /// The time of the read, by [`Clock::elapsed`].
    read_at: Duration,
}

impl Secrets {
    /// A cache for the secrets in `source`, which is read on first use.
    pub fn new(source: Arc<dyn SecretSource>, clock: Arc<dyn Clock>) -> Self {
        Self { source, clock, cache: Mutex::new(None) }
    }

    /// Returns the cached secrets. The first call reads them.
    ///
    /// # Errors
    /// When they have never been read and cannot be read now.
    pub async fn cached(&self) -> anyhow::Result<Arc<[SecretString]>> {
        let cached = self.cache().clone();
        match cached {
            Some(cached) => Ok(cached.secrets),
            None => self.read().await,
        }
    }

    /// Reads the secrets again, because a signature that matches none of the cached ones may be due to a
    /// rotation. Returns `None`, and reads nothing, within a minute of the last read.
    ///
    /// # Errors
    /// When they cannot be read. The cached ones remain.
    pub async fn refresh(&self) -> anyhow::Result<Option<Arc<[SecretString]>>> {
        let now = self.clock.elapsed();
        // Recorded before the read, so that failed and concurrent reads count too.
        match self.cache().as_mut() {
            Some(cached) if now.saturating_sub(cached.read_at) < MIN_REFRESH_INTERVAL => return Ok(None),
            Some(cached) => cached.read_at = now,
            None => {}
        }
        self.read().await.map(Some)
    }

    fn cache(&self) -> MutexGuard<'_, Option<CachedSecrets>> {
        lock(&self.cache)
    }

    async fn read(&self) -> anyhow::Result<Arc<[SecretString]>> {
        let text = self.source.read().await?;
        let words = text.expose_secret().split_whitespace();
        let secrets: Arc<[SecretString]> = words
            .filter(|word| word.len() > PREFIX.len() && word.starts_with(PREFIX))
            .map(|word| SecretString::from(word.to_owned()))
            .collect();
        if secrets.is_empty() {
            tracing::error!(
                "the secret contains no whsec_… key: every webhook is rejected until one is stored"
            );
        }
        *self.cache() = Some(CachedSecrets { secrets: Arc::clone(&secrets), read_at: self.clock.elapsed() });
        Ok(secrets)
    }
}
