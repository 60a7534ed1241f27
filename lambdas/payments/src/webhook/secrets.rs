//! The secrets that Stripe signs with.
//!
//! The secret in Secrets Manager is text with one `whsec_…` in it, or, while it is being rotated, two with white space
//! between them: Stripe lets the old one be in force for up to a day beside the new one
//! (<https://docs.stripe.com/webhooks#roll-endpoint-secrets>). Text in which there is none, as a new stack has it, is
//! no secret, and every request is refused.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use platform::Clock;
use secrecy::{ExposeSecret, SecretString};

/// What every secret of Stripe's starts with. It is part of the key.
const PREFIX: &str = "whsec_";
/// How long at least from one read to the next: whoever sends wrong signatures must not make us ask all the time.
const INTERVAL: Duration = Duration::from_secs(60);

/// Where the text of the secret is kept.
#[async_trait]
pub trait SigningSecret: Send + Sync {
    /// The text as it is now, not as it was.
    async fn read(&self) -> anyhow::Result<SecretString>;
}

/// The secrets in force, as far as we know.
pub struct Secrets {
    source: Arc<dyn SigningSecret>,
    clock: Arc<dyn Clock>,
    kept: Mutex<Option<Kept>>,
}

#[derive(Clone)]
struct Kept {
    secrets: Arc<[SecretString]>,
    /// By [`Clock::elapsed`].
    read_at: Duration,
}

impl Secrets {
    /// Those in `source`, which is read when the first is needed.
    pub fn new(source: Arc<dyn SigningSecret>, clock: Arc<dyn Clock>) -> Self {
        Self { source, clock, kept: Mutex::new(None) }
    }

    /// As they were read last.
    ///
    /// # Errors
    /// When they never were, and cannot be.
    pub async fn known(&self) -> anyhow::Result<Arc<[SecretString]>> {
        let kept = self.kept().clone();
        match kept {
            Some(kept) => Ok(kept.secrets),
            None => self.read().await,
        }
    }

    /// As they are now: for a signature that is by none of the known ones, which may have been rotated. `None` when
    /// they were read within the last minute.
    ///
    /// # Errors
    /// When they cannot be read. Those that were known are kept.
    pub async fn renewed(&self) -> anyhow::Result<Option<Arc<[SecretString]>>> {
        let now = self.clock.elapsed();
        // Noted before the read, so that one that fails, or is one of many at a time, counts too.
        match self.kept().as_mut() {
            Some(kept) if now.saturating_sub(kept.read_at) < INTERVAL => return Ok(None),
            Some(kept) => kept.read_at = now,
            None => {}
        }
        self.read().await.map(Some)
    }

    fn kept(&self) -> MutexGuard<'_, Option<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self) -> anyhow::Result<Arc<[SecretString]>> {
        let text = self.source.read().await?;
        let words = text.expose_secret().split_whitespace();
        let secrets: Arc<[SecretString]> = words
            .filter(|word| word.len() > PREFIX.len() && word.starts_with(PREFIX))
            .map(|word| SecretString::from(word.to_owned()))
            .collect();
        if secrets.is_empty() {
            tracing::error!("there is no whsec_… in the secret: put it in, or every webhook is refused");
        }
        *self.kept() = Some(Kept { secrets: Arc::clone(&secrets), read_at: self.clock.elapsed() });
        Ok(secrets)
    }
}
