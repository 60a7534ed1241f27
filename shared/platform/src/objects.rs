//! Files in a bucket. No whole file need be in memory: one is read as a stream, and written part by part.

use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;
use serde::Deserialize;
use serde_json::Value;

use crate::handler::Failure;
use crate::telemetry::redact_values;

/// The least that a part has, but for the last one, in bytes
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
pub const MIN_PART_BYTES: usize = 5 * 1024 * 1024;
/// The most parts that a file has.
pub const MAX_PARTS: u32 = 10_000;

/// What a file holds, piece by piece.
pub type Chunks = Pin<Box<dyn Stream<Item = anyhow::Result<Bytes>> + Send>>;

/// A file that is being read.
pub struct ObjectStream {
    /// The bytes of the whole file, wherever reading starts.
    pub size: u64,
    /// What changes when the file is written anew.
    pub etag: String,
    /// What it holds.
    pub chunks: Chunks,
}

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its name in the bucket: 1 to 1,024 bytes.
    pub key: String,
    /// Its media type.
    pub content_type: String,
    /// All of it.
    pub body: Bytes,
}

/// A file that is being written in parts.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MultipartUpload {
    /// The name of the file in the bucket.
    pub key: String,
    /// Names the upload.
    pub id: String,
}

/// A part that the bucket has.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Part {
    /// 1 to [`MAX_PARTS`].
    pub number: u32,
    /// What the bucket calls its content.
    pub etag: String,
}

/// A bucket.
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// Reads a file from the byte `from` on; only if it is still the one with that `etag`, where one is given. `None`
    /// where there is none such.
    async fn read(&self, key: &str, from: u64, etag: Option<&str>) -> anyhow::Result<Option<ObjectStream>>;

    /// Writes a whole file in place of what is there.
    async fn write(&self, file: Object) -> anyhow::Result<()>;

    /// Writes a whole file if none of that name is there. False, and nothing written, where one is.
    async fn write_if_absent(&self, file: Object) -> anyhow::Result<bool>;

    /// Removes a file. None to remove is fine.
    async fn delete(&self, key: &str) -> anyhow::Result<()>;

    /// Begins to write a file in parts. Nobody sees it until [`ObjectStore::complete_upload`].
    async fn start_upload(&self, key: &str, content_type: &str) -> anyhow::Result<MultipartUpload>;

    /// Writes one part, of [`MIN_PART_BYTES`] at least if another follows; again in place of the one with that number.
    async fn upload_part(&self, upload: &MultipartUpload, number: u32, body: Bytes) -> anyhow::Result<Part>;

    /// Makes the parts, in their order, the file. Safe to do again.
    async fn complete_upload(&self, upload: &MultipartUpload, parts: &[Part]) -> anyhow::Result<()>;

    /// Throws the parts away.
    async fn abort_upload(&self, upload: &MultipartUpload) -> anyhow::Result<()>;

    /// An address from which anybody who has it can fetch the file for so long, at most for seven days, and never for
    /// longer than the credentials are good that signed it. With a `file_name`, browsers save it under that name.
    async fn presigned_url(&self, key: &str, good_for: Duration, file_name: Option<&str>) -> anyhow::Result<String>;
}

/// What EventBridge tells of a file that was written: S3's `Object Created`
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ObjectCreated {
    /// Its name in the bucket.
    pub key: String,
    /// What changes when the file is written anew.
    pub etag: String,
    /// Which version, in a bucket that keeps them.
    #[serde(rename = "version-id")]
    pub version: Option<String>,
}

impl ObjectCreated {
    /// Reads the message. Whose it is, and of which kind, is for the caller to look at.
    ///
    /// # Errors
    /// [`Failure::Poison`] where it names no file, with a reason that quotes no value of the message.
    pub fn from_message(message: &Value) -> Result<Self, Failure> {
        Self::deserialize(&message["detail"]["object"]).map_err(|error| {
            let error = redact_values(&error.to_string());
            Failure::poison(format!("this is not what S3 tells of a file: {error}"))
        })
    }
}

/// All of a file, if it has at most `most` bytes: `None` where it has more.
///
/// # Errors
/// When it cannot be read.
pub async fn read_to_end(mut reading: ObjectStream, most: usize) -> anyhow::Result<Option<Bytes>> {
    use futures::StreamExt;
    if usize::try_from(reading.size).map_or(true, |size| size > most) {
        return Ok(None);
    }
    let mut whole = Vec::with_capacity(usize::try_from(reading.size)?);
    while let Some(chunk) = reading.chunks.next().await {
        whole.extend_from_slice(&chunk?);
        if whole.len() > most {
            return Ok(None);
        }
    }
    Ok(Some(whole.into()))
}
