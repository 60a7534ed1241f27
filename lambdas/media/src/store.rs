//! The ports to the storage of the service.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::product::Upload;
use domain::{Sku, UploadId};
use jiff::Timestamp;

/// The uploads and the current images of products.
#[async_trait]
pub trait Images: Send + Sync {
    /// Stores a new upload.
    async fn create(&self, upload: &Upload) -> anyhow::Result<()>;

    /// Returns an upload.
    async fn get(&self, sku: &Sku, id: UploadId) -> anyhow::Result<Option<Upload>>;

    /// Returns the upload of a product that was created last, in any state.
    async fn latest(&self, sku: &Sku) -> anyhow::Result<Option<Upload>>;

    /// Returns the upload that contains the current image of a product.
    async fn current(&self, sku: &Sku) -> anyhow::Result<Option<Upload>>;

    /// Atomically stores the completion of a pending upload, and makes its image the current one if it is
    /// ready and newer. Returns the upload as stored, which is the result of another worker if that completed
    /// it first.
    async fn complete(&self, completed: &Upload) -> anyhow::Result<Upload>;
}

/// Identifies a version of a file, so that a verdict on it cannot be applied to a different file under the
/// same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileVersion {
    /// The object key.
    pub key: String,
    /// The ETag without quotes.
    pub etag: String,
    /// The version id. An ETag may be an MD5, and two files can be constructed with the same one; version ids
    /// are unique.
    pub version: Option<String>,
}

/// The outcome of reading a file from quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadOutcome {
    /// The content of the file.
    File(Bytes),
    /// The file exceeds the size limit.
    TooLarge,
    /// The file was deleted or replaced.
    Gone,
}

/// The storage of uploaded files until they are found to be clean. Clients cannot read it.
#[async_trait]
pub trait Quarantine: Send + Sync {
    /// Reads a version of a file, if it has at most `max_bytes`.
    async fn read(&self, file: &FileVersion, max_bytes: u32) -> anyhow::Result<ReadOutcome>;
}

/// The conditions under which a client may upload a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadPolicy {
    /// The object key of the file.
    pub key: String,
    /// The media type that the file must be uploaded with.
    pub content_type: String,
    /// The maximum size of the file.
    pub max_bytes: u32,
    /// The start of the validity.
    pub valid_from: Timestamp,
    /// The duration of the validity.
    pub validity: Duration,
}

/// A form with which a browser uploads a file (`multipart/form-data`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadForm {
    /// The URL to POST to.
    pub url: String,
    /// The fields before the field `file`, which must be the last one.
    pub fields: BTreeMap<String, String>,
}

/// Creates forms with which clients upload files to the quarantine.
#[async_trait]
pub trait UploadForms: Send + Sync {
    /// Creates a form that permits exactly what the policy permits.
    async fn create(&self, policy: &UploadPolicy) -> anyhow::Result<UploadForm>;
}
