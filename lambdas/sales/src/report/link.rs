//! Links for the email. A presigned URL of S3 expires with the credentials of the function that created it,
//! within hours. These links point to the API, which verifies their signature and redirects the browser to a
//! new presigned URL.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use platform::{Clock, lock};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::ReportFile;
use super::store::LinkSecret;

/// The lifetime of a link.
pub const LINK_LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The minimum interval between two refreshes of the secret, so that requests with wrong signatures cannot
/// cause one each.
const MIN_REFRESH_INTERVAL: Duration = Duration::from_secs(60);

/// Signs links and verifies them.
pub struct LinkSigner {
    secret: Arc<dyn LinkSecret>,
    clock: Arc<dyn Clock>,
    refreshed_at: Mutex<Option<Duration>>,
}

/// The content of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedLink {
    /// The day of the report.
    pub day: Date,
    /// The file of the report.
    pub file: ReportFile,
    /// The expiry, as Unix time in seconds.
    pub expires_at: i64,
}

impl LinkSigner {
    /// Creates a signer with this secret.
    pub fn new(secret: Arc<dyn LinkSecret>, clock: Arc<dyn Clock>) -> Self {
        Self { secret, clock, refreshed_at: Mutex::new(None) }
    }

    /// Returns the path and query of a link that is valid for [`LINK_LIFETIME`] from now on.
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

    /// Whether the link has not expired and `signature` is its signature.
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
        let mut refreshed_at = lock(&self.refreshed_at);
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
