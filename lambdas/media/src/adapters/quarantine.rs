//! The quarantine in S3.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_types::SdkConfig;
use platform::config;

use crate::store::{FileVersion, Found, Quarantine};

/// How long one call may take: some megabytes, where others send a few hundred bytes.
const CALL_TIME: Duration = Duration::from_secs(20);

/// The bucket that clients upload to.
#[derive(Debug, Clone)]
pub struct S3Quarantine {
    client: Client,
    bucket: String,
}

impl S3Quarantine {
    /// The bucket in `UPLOADS_BUCKET`.
    ///
    /// # Errors
    /// When it is not set.
    pub fn from_env(config: &SdkConfig) -> anyhow::Result<Self> {
        let timeouts = aws_sdk_s3::config::timeout::TimeoutConfig::builder()
            .operation_attempt_timeout(CALL_TIME)
            .build();
        let config = aws_sdk_s3::config::Builder::from(config).timeout_config(timeouts).build();
        Ok(Self { client: Client::from_conf(config), bucket: config::required("UPLOADS_BUCKET")? })
    }
}

#[async_trait]
impl Quarantine for S3Quarantine {
    async fn read(&self, file: &FileVersion, most: u32) -> anyhow::Result<Found> {
        let key = &file.key;
        let get = self.client.get_object().bucket(&self.bucket).key(key);
        let answer = get
            .if_match(format!("\"{}\"", file.etag.trim_matches('"')))
            .set_version_id(file.version.clone())
            .send()
            .await;
        let mut body = match answer.map_err(SdkError::into_service_error) {
            Ok(answer) => answer.body,
            // Not there, not that version any more, or another file.
            Err(error)
                if ["NoSuchKey", "NoSuchVersion", "PreconditionFailed", "MethodNotAllowed"]
                    .contains(&error.code().unwrap_or_default()) =>
            {
                return Ok(Found::Gone);
            }
            Err(error) => return Err(anyhow::Error::new(error).context(format!("{key} could not be read"))),
        };
        // What S3 says of its size is not relied upon.
        let most = usize::try_from(most)?;
        let mut content = Vec::new();
        while let Some(chunk) = body.next().await {
            content.extend_from_slice(&chunk.with_context(|| format!("{key} could not be read to its end"))?);
            if content.len() > most {
                return Ok(Found::TooLarge);
            }
        }
        Ok(Found::File(content.into()))
    }
}
