//! Links for the mail. A link that S3 signs dies with the credentials of the function that made it, within hours; these
//! lead to the API, which knows them by a signature of our own and sends the browser on to a link that is made then.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use platform::Clock;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::ReportFile;

/// How long a link is good.
pub const LINK_LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long at least from one look at the secret to the next: who sends wrong signatures must not make us ask all the
/// time.
const MIN_REFRESH_INTERVAL: Duration = Duration::from_secs(60);

/// What links are signed with.
#[async_trait]
pub trait LinkSecret: Send + Sync {
    /// It, as it was read last, or now.
    async fn get(&self) -> anyhow::Result<SecretString>;

    /// Has it read anew next time: it may have been changed.
    fn invalidate(&self);
}

/// Makes links and knows them.
pub struct LinkSigner {
    secret: Arc<dyn LinkSecret>,
    clock: Arc<dyn Clock>,
    refreshed_at: Mutex<Option<Duration>>,
}

/// What a link says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedLink {
    /// Of which day.
    pub day: Date,
    /// To what.
    pub file: ReportFile,
    /// Until when it is good, in seconds since 1970.
    pub expires_at: i64,
}

impl LinkSigner {
    /// With that secret.
    pub fn new(secret: Arc<dyn LinkSecret>, clock: Arc<dyn Clock>) -> Self {
        Self { secret, clock, refreshed_at: Mutex::new(None) }
    }

    /// The path and query of a link that is good from now on for [`GOOD_FOR`].
    ///
    /// # Errors
    /// When the secret cannot be read.
    pub async fn sign(&self, day: Date, file: ReportFile) -> anyhow::Result<String> {
        let expires_at = self.clock.now().saturating_add(LINK_LIFETIME).unwrap_or(Timestamp::MAX).as_second();
        let link = SignedLink { day, file, expires_at };
        let signature = mac(&self.secret.get().await?, &link)?.finalize().into_bytes();
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
        Ok(format!("/reports/{day}/files/{}?until={expires_at}&signature={signature}", file.name()))
    }

    /// Whether this signature makes the ticket good, now.
    ///
    /// # Errors
    /// When the secret cannot be read.
    pub async fn is_valid(&self, link: &SignedLink, signature: &str) -> anyhow::Result<bool> {
        let Ok(signature) = BASE64_URL_SAFE_NO_PAD.decode(signature) else { return Ok(false) };
        if link.expires_at <= self.clock.now().as_second() {
            return Ok(false);
        }
        let is_signed = async || -> anyhow::Result<bool> {
            Ok(mac(&self.secret.get().await?, link)?.verify_slice(&signature).is_ok())
        };
        if is_signed().await? {
            return Ok(true);
        }
        if !self.begin_refresh() {
            return Ok(false);
        }
        self.secret.invalidate();
        is_signed().await
    }

    fn begin_refresh(&self) -> bool {
        let now = self.clock.elapsed();
        let mut refreshed_at = self.refreshed_at.lock().unwrap_or_else(PoisonError::into_inner);
        if refreshed_at.is_some_and(|at| now.saturating_sub(at) < MIN_REFRESH_INTERVAL) {
            return false;
        }
        *refreshed_at = Some(now);
        true
    }
}

fn mac(secret: &SecretString, link: &SignedLink) -> anyhow::Result<Hmac<Sha256>> {
    let key = secret.expose_secret();
    anyhow::ensure!(!key.is_empty(), "the secret that signs links is empty");
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes())?;
    mac.update(format!("daily-report\n{}\n{}\n{}", link.day, link.file.name(), link.expires_at).as_bytes());
    Ok(mac)
}
