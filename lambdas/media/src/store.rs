//! The ports to what the service keeps.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::product::Upload;
use domain::{Sku, UploadId};
use jiff::Timestamp;

/// What is known of uploads.
#[async_trait]
pub trait Images: Send + Sync {
    /// Notes down that a client asked for an upload.
    async fn ask(&self, upload: &Upload) -> anyhow::Result<()>;

    /// One upload.
    async fn get(&self, sku: &Sku, id: UploadId) -> anyhow::Result<Option<Upload>>;

    /// The one that was asked for last, whatever became of it.
    async fn newest(&self, sku: &Sku) -> anyhow::Result<Option<Upload>>;

    /// The one whose picture is the product's.
    async fn current(&self, sku: &Sku) -> anyhow::Result<Option<Upload>>;

    /// Writes what was decided of an upload that was pending, and makes it the product's picture where it is ready and
    /// newer: both or nothing. Gives back the upload as it is now, which is as somebody else decided if they were faster.
    async fn decide(&self, decided: &Upload) -> anyhow::Result<Upload>;
}

/// Names a file as it was when something was found out about it, so that nobody can put another in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileVersion {
    /// Its name in the bucket.
    pub key: String,
    /// What changes with its content, without quotes.
    pub etag: String,
    /// Its version. An ETag may be an MD5, of which two files can be made to have the same; this is told apart by S3.
    pub version: Option<String>,
}

/// What is in quarantine under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The file.
    File(Bytes),
    /// One with more bytes than are taken.
    TooLarge,
    /// Nothing any more, or another file.
    Gone,
}

/// Where clients' files are until they are known to be harmless. No client reads it.
#[async_trait]
pub trait Quarantine: Send + Sync {
    /// Reads that version of a file, if it has at most `most` bytes.
    async fn read(&self, file: &FileVersion, most: u32) -> anyhow::Result<Found>;
}

/// What a client may upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// Under which name.
    pub key: String,
    /// As which media type.
    pub content_type: String,
    /// The most bytes.
    pub most_bytes: u32,
    /// From when on.
    pub from: Timestamp,
    /// For how long.
    pub good_for: Duration,
}

/// A form that a browser sends a file with (`multipart/form-data`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Where to.
    pub url: String,
    /// The fields in front of the field `file`, which is the last one.
    pub fields: BTreeMap<String, String>,
}

/// Lets clients send files to the quarantine.
#[async_trait]
pub trait UploadForms: Send + Sync {
    /// A form that is good for what `permit` says and nothing else.
    async fn form(&self, permit: &Permit) -> anyhow::Result<Form>;
}
