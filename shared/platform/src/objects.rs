//! Objects in a bucket. Large objects need not fit into memory: they are read as a stream and written in
//! parts.

use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;
use serde::Deserialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::redact::redact_values;

/// The minimum size of a part, except the last one, in bytes
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
pub const MIN_PART_BYTES: usize = 5 * 1024 * 1024;
/// The maximum number of parts of an object.
pub const MAX_PARTS: u32 = 10_000;

/// The content of an object as a stream.
pub type Chunks = Pin<Box<dyn Stream<Item = anyhow::Result<Bytes>> + Send>>;

/// An object that is being read.
pub struct ObjectStream {
    /// The size of the whole object in bytes, regardless of the offset at which reading starts.
    pub size: u64,
    /// The entity tag, which changes whenever the object is overwritten.
    pub etag: String,
    /// The content from the requested offset on.
    pub chunks: Chunks,
}

/// An object to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The key in the bucket: 1 to 1,024 bytes.
    pub key: String,
    /// The media type.
    pub content_type: String,
    /// The whole content.
    pub body: Bytes,
}

/// A multipart upload in progress.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MultipartUpload {
    /// The key of the object in the bucket.
    pub key: String,
    /// The upload id that the bucket assigned.
    pub id: String,
}

/// A part that has been uploaded.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Part {
    /// The part number, 1 to [`MAX_PARTS`].
    pub number: u32,
    /// The entity tag that the bucket assigned to the part.
    pub etag: String,
}

/// A bucket of objects.
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// Reads an object from byte `from` on. Returns `None` if there is no such object, or if `etag` is given
    /// and the object has another one.
    async fn read(&self, key: &str, from: u64, etag: Option<&str>) -> anyhow::Result<Option<ObjectStream>>;

    /// Writes an object and replaces an existing one.
    async fn write(&self, object: Object) -> anyhow::Result<()>;

    /// Writes an object unless its key already exists. Returns `false`, and writes nothing, if it does.
    async fn write_if_absent(&self, object: Object) -> anyhow::Result<bool>;

    /// Deletes an object. Succeeds if there is no such object.
    async fn delete(&self, key: &str) -> anyhow::Result<()>;

    /// Starts a multipart upload. The object is not visible before [`ObjectStore::complete_upload`].
    async fn start_upload(&self, key: &str, content_type: &str) -> anyhow::Result<MultipartUpload>;

    /// Uploads one part, which has at least [`MIN_PART_BYTES`] unless it is the last one. Replaces an earlier
    /// part of the same number.
    async fn upload_part(&self, upload: &MultipartUpload, number: u32, body: Bytes) -> anyhow::Result<Part>;

    /// Assembles the object from `parts`, in the given order. Idempotent.
    async fn complete_upload(&self, upload: &MultipartUpload, parts: &[Part]) -> anyhow::Result<()>;

    /// Aborts the upload and discards its parts. Idempotent.
    async fn abort_upload(&self, upload: &MultipartUpload) -> anyhow::Result<()>;

    /// Returns a presigned URL from which anyone can download the object until `valid_for` has passed: at
    /// most seven days, and never longer than the signing credentials are valid. With a `file_name`, browsers
    /// save the object under that name.
    async fn presigned_url(
        &self,
        key: &str,
        valid_for: Duration,
        file_name: Option<&str>,
    ) -> anyhow::Result<String>;
}

/// The object of S3's EventBridge event `Object Created`
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ObjectCreated {
    /// The key in the bucket.
    pub key: String,
    /// The entity tag.
    pub etag: String,
    /// The version id, if the bucket has versioning enabled.
    #[serde(rename = "version-id")]
    pub version: Option<String>,
}

impl ObjectCreated {
    /// Parses the object from an EventBridge message. The caller checks the bucket and the type of the event.
    ///
    /// # Errors
    /// [`Failure::Poison`] when the message names no object, with a reason that quotes no value of the
    /// message.
    pub fn from_message(message: &Value) -> Result<Self, Failure> {
        Self::deserialize(&message["detail"]["object"]).map_err(|error| {
            let error = redact_values(&error.to_string());
            Failure::poison(format!("the message is not an S3 object event: {error}"))
        })
    }
}

/// Reads the whole object into memory, or returns `None` if it has more than `max_bytes`.
///
/// # Errors
/// When the object cannot be read.
pub async fn read_to_end(mut object: ObjectStream, max_bytes: usize) -> anyhow::Result<Option<Bytes>> {
    use futures::StreamExt;
    if usize::try_from(object.size).map_or(true, |size| size > max_bytes) {
        return Ok(None);
    }
    let mut whole = Vec::with_capacity(usize::try_from(object.size)?);
    while let Some(chunk) = object.chunks.next().await {
        whole.extend_from_slice(&chunk?);
        if whole.len() > max_bytes {
            return Ok(None);
        }
    }
    Ok(Some(whole.into()))
}
