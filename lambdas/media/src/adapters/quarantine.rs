//! The quarantine bucket in S3.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_types::SdkConfig;
use platform::config;

use crate::store::{FileVersion, Quarantine, ReadOutcome};

/// The time limit for a call. Downloads have several megabytes, unlike other calls with a few hundred bytes.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// The bucket that clients upload to.
#[derive(Debug, Clone)]
pub struct S3Quarantine {
    client: Client,
    bucket: String,
}

impl S3Quarantine {
    /// Creates the adapter for the bucket in `UPLOADS_BUCKET`.
    ///
    /// # Errors
    /// If it is not set.
    pub fn from_env(config: &SdkConfig) -> anyhow::Result<Self> {
        Ok(Self::new(config, config::required("UPLOADS_BUCKET")?))
    }

    /// Creates the adapter for the bucket of this name.
    pub fn new(config: &SdkConfig, bucket: String) -> Self {
        let timeouts = aws_sdk_s3::config::timeout::TimeoutConfig::builder()
            .operation_attempt_timeout(CALL_TIMEOUT)
            .build();
        let config = aws_sdk_s3::config::Builder::from(config).timeout_config(timeouts).build();
        Self { client: Client::from_conf(config), bucket }
    }
}

#[async_trait]
impl Quarantine for S3Quarantine {
    async fn read(&self, file: &FileVersion, max_bytes: u32) -> anyhow::Result<ReadOutcome> {
        let key = &file.key;
        let get = self.client.get_object().bucket(&self.bucket).key(key);
        let response = get
            .if_match(format!("\"{}\"", file.etag.trim_matches('"')))
            .set_version_id(file.version.clone())
            .send()
            .await;
        let mut body = match response.map_err(SdkError::into_service_error) {
            Ok(response) => response.body,
            // The file or this version was deleted, or the ETag differs.
            Err(error)
                if ["NoSuchKey", "NoSuchVersion", "PreconditionFailed", "MethodNotAllowed"]
                    .contains(&error.code().unwrap_or_default()) =>
            {
                return Ok(ReadOutcome::Gone);
            }
            Err(error) => return Err(anyhow::Error::new(error).context(format!("{key} could not be read"))),
        };
        // The limit is enforced on the received bytes, not on the reported size.
        let max_bytes = usize::try_from(max_bytes)?;
        let mut content = Vec::new();
        while let Some(chunk) = body.next().await {
            content.extend_from_slice(&chunk.with_context(|| format!("{key} could not be read to its end"))?);
            if content.len() > max_bytes {
                return Ok(ReadOutcome::TooLarge);
            }
        }
        Ok(ReadOutcome::File(content.into()))
    }
}
