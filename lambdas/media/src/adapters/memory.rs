//! In-memory implementations of the ports, for tests.

use std::collections::BTreeMap;
use std::sync::Mutex;

use anyhow::Context as _;
use async_trait::async_trait;
use bytes::Bytes;
use domain::product::{Upload, UploadState};
use domain::{Sku, UploadId};
use jiff::Timestamp;
use platform::memory::InjectedFaults;
use platform::{Failure, lock};
use serde_json::Value;

use super::images::RETENTION;
use crate::scan::{ScanRequest, Scanner, Verdict};
use crate::store::{FileVersion, Images, Quarantine, ReadOutcome, UploadForm, UploadForms, UploadPolicy};

/// Uploads in memory.
#[derive(Debug, Default)]
pub struct InMemoryImages {
    uploads: Mutex<BTreeMap<(Sku, UploadId), Upload>>,
    current: Mutex<BTreeMap<Sku, Upload>>,
    /// Faults of `complete` before its effect.
    pub failures: InjectedFaults,
    /// Faults of `complete` after its effect.
    pub lost_responses: InjectedFaults,
}

impl InMemoryImages {
    /// Returns all uploads.
    pub fn all(&self) -> Vec<Upload> {
        lock(&self.uploads).values().cloned().collect()
    }

    /// Removes the uploads whose time to live has passed. The current images stay.
    pub fn remove_expired(&self, now: Timestamp) {
        lock(&self.uploads).retain(|_, upload| now.duration_since(upload.requested_at) < RETENTION);
    }

    /// Makes an upload pending again, as if nothing protected its result.
    pub fn forget_result(&self, sku: &Sku, id: UploadId) {
        if let Some(upload) = lock(&self.uploads).get_mut(&(sku.clone(), id)) {
            upload.state = UploadState::Pending;
        }
    }
}

#[async_trait]
impl Images for InMemoryImages {
    async fn create(&self, upload: &Upload) -> anyhow::Result<()> {
        lock(&self.uploads).entry((upload.sku.clone(), upload.id)).or_insert_with(|| upload.clone());
        Ok(())
    }

    async fn get(&self, sku: &Sku, id: UploadId) -> anyhow::Result<Option<Upload>> {
        Ok(lock(&self.uploads).get(&(sku.clone(), id)).cloned())
    }

    async fn latest(&self, sku: &Sku) -> anyhow::Result<Option<Upload>> {
        Ok(lock(&self.uploads).values().rfind(|upload| upload.sku == *sku).cloned())
    }

    async fn current(&self, sku: &Sku) -> anyhow::Result<Option<Upload>> {
        Ok(lock(&self.current).get(sku).cloned())
    }

    async fn complete(&self, completed: &Upload) -> anyhow::Result<Upload> {
        self.failures.check("completing")?;
        let mut uploads = lock(&self.uploads);
        let key = (completed.sku.clone(), completed.id);
        let stored = uploads.get(&key).context("the upload does not exist")?;
        if stored.state != UploadState::Pending {
            return Ok(stored.clone());
        }
        uploads.insert(key, completed.clone());
        let mut current = lock(&self.current);
        if completed.replaces(current.get(&completed.sku).map(|upload| upload.id)) {
            current.insert(completed.sku.clone(), completed.clone());
        }
        self.lost_responses.check("the response to completing")?;
        Ok(completed.clone())
    }
}

/// The latest version of each file in quarantine.
#[derive(Debug, Default)]
pub struct InMemoryQuarantine {
    files: Mutex<BTreeMap<String, (String, Bytes)>>,
    /// Faults of `read`.
    pub failures: InjectedFaults,
}

impl InMemoryQuarantine {
    /// Stores a file.
    pub fn put(&self, key: &str, etag: &str, content: impl Into<Bytes>) {
        lock(&self.files).insert(key.to_owned(), (etag.to_owned(), content.into()));
    }
}

#[async_trait]
impl Quarantine for InMemoryQuarantine {
    async fn read(&self, file: &FileVersion, max_bytes: u32) -> anyhow::Result<ReadOutcome> {
        self.failures.check("reading the quarantine")?;
        Ok(match lock(&self.files).get(&file.key) {
            Some((etag, _)) if *etag != file.etag => ReadOutcome::Gone,
            Some((_, content)) if content.len() > usize::try_from(max_bytes)? => ReadOutcome::TooLarge,
            Some((_, content)) => ReadOutcome::File(content.clone()),
            None => ReadOutcome::Gone,
        })
    }
}

/// A scanner with a configured verdict. Its messages are objects with `key` and `etag`.
#[derive(Debug, Default)]
pub struct InMemoryScanner {
    verdict: Mutex<Option<Verdict>>,
    /// Faults of `scan`.
    pub failures: InjectedFaults,
}

impl InMemoryScanner {
    /// Sets the verdict on all further files. The default is [`Verdict::Clean`].
    pub fn set_verdict(&self, verdict: Verdict) {
        *lock(&self.verdict) = Some(verdict);
    }
}

#[async_trait]
impl Scanner for InMemoryScanner {
    fn parse_message(&self, message: &Value) -> Result<ScanRequest, Failure> {
        let text = |name: &str| message.get(name).and_then(Value::as_str).map(str::to_owned);
        let (Some(key), Some(etag)) = (text("key"), text("etag")) else {
            return Err(Failure::poison("the message has no key or no etag"));
        };
        Ok(ScanRequest { file: FileVersion { key, etag, version: None }, verdict: None })
    }

    async fn scan(&self, _: &ScanRequest, _: Bytes) -> anyhow::Result<Verdict> {
        self.failures.check("scanning")?;
        Ok(lock(&self.verdict).clone().unwrap_or(Verdict::Clean))
    }
}

/// Forms without a signature.
#[derive(Debug, Default)]
pub struct UnsignedForms;

#[async_trait]
impl UploadForms for UnsignedForms {
    async fn create(&self, policy: &UploadPolicy) -> anyhow::Result<UploadForm> {
        let fields = [("key", &policy.key), ("Content-Type", &policy.content_type)];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.clone())).into();
        Ok(UploadForm { url: "https://uploads.example.com/".to_owned(), fields })
    }
}
