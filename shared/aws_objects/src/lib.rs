//! Objects in S3.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadError;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use bytes::Bytes;
use futures::stream::{StreamExt, unfold};

use platform::objects::{Chunks, MultipartUpload, Object, ObjectStore, ObjectStream, Part};

/// The timeout of one attempt. It is longer than that of other services because a part has several megabytes.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);

/// A bucket in S3.
#[derive(Debug, Clone)]
pub struct Bucket {
    client: Client,
    name: String,
}

impl Bucket {
    /// The bucket named `name`.
    pub fn new(config: &SdkConfig, name: String) -> Self {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
        let config = aws_sdk_s3::config::Builder::from(config).timeout_config(timeouts).build();
        Self { client: Client::from_conf(config), name }
    }

    /// The name of the bucket.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn chunks(body: ByteStream) -> Chunks {
    // Fused, because a caller may poll the stream again after its end.
    let chunks = unfold(body, |mut body| async move {
        let chunk = body.next().await?;
        Some((chunk.context("the object could not be read to its end"), body))
    });
    Box::pin(chunks.fuse())
}

#[async_trait]
impl ObjectStore for Bucket {
    async fn read(&self, key: &str, from: u64, etag: Option<&str>) -> anyhow::Result<Option<ObjectStream>> {
        let mut get = self.client.get_object().bucket(&self.name).key(key);
        if from > 0 {
            get = get.range(format!("bytes={from}-"));
        }
        let response = get.set_if_match(etag.map(str::to_owned)).send().await;
        let response = match response.map_err(SdkError::into_service_error) {
            Ok(response) => response,
            Err(GetObjectError::NoSuchKey(_)) => return Ok(None),
            Err(error) if error.code() == Some("PreconditionFailed") => return Ok(None),
            Err(error) => {
                return Err(anyhow::Error::new(error).context(format!("the object {key} could not be read")));
            }
        };
        let sent = u64::try_from(response.content_length.unwrap_or_default())?;
        Ok(Some(ObjectStream {
            size: from.saturating_add(sent),
            etag: response.e_tag.context("S3 returned no ETag")?,
            chunks: chunks(response.body),
        }))
    }

    async fn write(&self, object: Object) -> anyhow::Result<()> {
        let key = object.key.clone();
        let put =
            self.client.put_object().bucket(&self.name).key(object.key).content_type(object.content_type);
        let sent = put.body(object.body.into()).send().await;
        sent.with_context(|| format!("the object {key} could not be written"))?;
        Ok(())
    }

    async fn write_if_absent(&self, object: Object) -> anyhow::Result<bool> {
        let key = object.key.clone();
        let put =
            self.client.put_object().bucket(&self.name).key(object.key).content_type(object.content_type);
        let sent = put.if_none_match("*").body(object.body.into()).send().await;
        match sent.map_err(SdkError::into_service_error) {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("PreconditionFailed") => Ok(false),
            Err(error) => {
                Err(anyhow::Error::new(error).context(format!("the object {key} could not be written")))
            }
        }
    }

    async fn delete(&self, key: &str) -> anyhow::Result<()> {
        let deleted = self.client.delete_object().bucket(&self.name).key(key).send().await;
        deleted.with_context(|| format!("the object {key} could not be deleted"))?;
        Ok(())
    }

    async fn start_upload(&self, key: &str, content_type: &str) -> anyhow::Result<MultipartUpload> {
        let create = self.client.create_multipart_upload().bucket(&self.name).key(key);
        let response = create.content_type(content_type).send().await;
        let response =
            response.with_context(|| format!("the multipart upload of {key} could not be started"))?;
        Ok(MultipartUpload {
            key: key.to_owned(),
            id: response.upload_id.context("S3 returned no upload id")?,
        })
    }

    async fn upload_part(&self, upload: &MultipartUpload, number: u32, body: Bytes) -> anyhow::Result<Part> {
        let part = self.client.upload_part().bucket(&self.name).key(&upload.key).upload_id(&upload.id);
        let response = part.part_number(i32::try_from(number)?).body(body.into()).send().await;
        let response =
            response.with_context(|| format!("part {number} of {} could not be uploaded", upload.key))?;
        Ok(Part { number, etag: response.e_tag.context("S3 returned no ETag")? })
    }

    async fn complete_upload(&self, upload: &MultipartUpload, parts: &[Part]) -> anyhow::Result<()> {
        let mut completed = CompletedMultipartUpload::builder();
        for part in parts {
            let number = i32::try_from(part.number)?;
            completed = completed
                .parts(CompletedPart::builder().part_number(number).e_tag(part.etag.clone()).build());
        }
        let finish = self.client.complete_multipart_upload().bucket(&self.name).key(&upload.key);
        let response = finish.upload_id(&upload.id).multipart_upload(completed.build()).send().await;
        match response.map_err(SdkError::into_service_error) {
            Ok(_) => Ok(()),
            // S3 forgets an upload once it is completed. If the object exists, an earlier call completed it.
            Err(error) if is_unknown_upload(&error) && self.exists(&upload.key).await? => Ok(()),
            Err(error) => Err(anyhow::Error::new(error)
                .context(format!("the multipart upload of {} could not be completed", upload.key))),
        }
    }

    async fn abort_upload(&self, upload: &MultipartUpload) -> anyhow::Result<()> {
        let abort = self.client.abort_multipart_upload().bucket(&self.name).key(&upload.key);
        let response = abort.upload_id(&upload.id).send().await;
        match response.map_err(SdkError::into_service_error) {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("NoSuchUpload") => Ok(()),
            Err(error) => Err(anyhow::Error::new(error)
                .context(format!("the multipart upload of {} could not be aborted", upload.key))),
        }
    }

    async fn presigned_url(
        &self,
        key: &str,
        valid_for: Duration,
        file_name: Option<&str>,
    ) -> anyhow::Result<String> {
        let get = self.client.get_object().bucket(&self.name).key(key);
        let disposition = file_name.map(|name| format!("attachment; filename=\"{}\"", header_safe(name)));
        let signed = get
            .set_response_content_disposition(disposition)
            .presigned(PresigningConfig::expires_in(valid_for)?)
            .await;
        Ok(signed.with_context(|| format!("the URL of {key} could not be presigned"))?.uri().to_owned())
    }
}

fn is_unknown_upload(error: &CompleteMultipartUploadError) -> bool {
    error.code() == Some("NoSuchUpload")
}

/// Replaces every character of a file name that could end the quoted string of a header.
fn header_safe(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
}

impl Bucket {
    async fn exists(&self, key: &str) -> anyhow::Result<bool> {
        let head = self.client.head_object().bucket(&self.name).key(key).send().await;
        match head.map_err(SdkError::into_service_error) {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => {
                Err(anyhow::Error::new(error).context(format!("the object {key} could not be looked up")))
            }
        }
    }
}
