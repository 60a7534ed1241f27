//! Download links in the API.

use std::time::Duration;

use jiff::Timestamp;
use platform::Clock;
use platform::objects::ObjectStore;
use schemars::JsonSchema;
use serde::Serialize;

/// The time within which a download has to start; it may take longer.
const LINK_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// A download link for a file.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Download")]
pub(crate) struct DownloadView {
    /// URL of the file. It needs no token: anyone with the URL can download the file.
    url: String,
    /// Time at which the URL expires. Get the resource again for a new URL.
    #[schemars(with = "String", extend("format" = "date-time"))]
    expires_at: Timestamp,
}

impl DownloadView {
    /// Creates a link that is valid for [`LINK_LIFETIME`].
    pub(crate) async fn presigned(
        files: &dyn ObjectStore,
        clock: &dyn Clock,
        key: &str,
        file_name: Option<&str>,
    ) -> anyhow::Result<Self> {
        let expires_at = clock.now().saturating_add(LINK_LIFETIME).unwrap_or(Timestamp::MAX);
        Ok(Self { url: files.presigned_url(key, LINK_LIFETIME, file_name).await?, expires_at })
    }
}
