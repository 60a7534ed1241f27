//! The ports in memory, for tests.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use domain::product::{Upload, UploadState};
use domain::{Sku, UploadId};
use platform::Failure;
use platform::memory::{InjectedFaults, lock};
use serde_json::Value;

use crate::scan::{Arrival, Scanner, Verdict};
use crate::store::{FileVersion, Form, Found, Images, Permit, Quarantine, UploadForms};

/// Uploads that are kept.
#[derive(Debug, Default)]
pub struct InMemoryImages {
    uploads: Mutex<BTreeMap<(Sku, UploadId), Upload>>,
    current: Mutex<BTreeMap<Sku, Upload>>,
    /// Of `decide`, before it does anything.
    pub failures: InjectedFaults,
    /// Of `decide`, after it did it.
    pub lost_answers: InjectedFaults,
}

#[async_trait]
impl Images for InMemoryImages {
    async fn ask(&self, upload: &Upload) -> anyhow::Result<()> {
        lock(&self.uploads).entry((upload.sku.clone(), upload.id)).or_insert_with(|| upload.clone());
        Ok(())
    }

    async fn get(&self, sku: &Sku, id: UploadId) -> anyhow::Result<Option<Upload>> {
        Ok(lock(&self.uploads).get(&(sku.clone(), id)).cloned())
    }

    async fn newest(&self, sku: &Sku) -> anyhow::Result<Option<Upload>> {
        Ok(lock(&self.uploads).values().rfind(|upload| upload.sku == *sku).cloned())
    }

    async fn current(&self, sku: &Sku) -> anyhow::Result<Option<Upload>> {
        Ok(lock(&self.current).get(sku).cloned())
    }

    async fn decide(&self, decided: &Upload) -> anyhow::Result<Upload> {
        self.failures.check("deciding")?;
        let mut uploads = lock(&self.uploads);
        let key = (decided.sku.clone(), decided.id);
        if let Some(before) = uploads.get(&key).filter(|before| before.state != UploadState::Pending) {
            return Ok(before.clone());
        }
        uploads.insert(key, decided.clone());
        let mut current = lock(&self.current);
        if decided.replaces(current.get(&decided.sku).map(|upload| upload.id)) {
            current.insert(decided.sku.clone(), decided.clone());
        }
        self.lost_answers.check("the answer to deciding")?;
        Ok(decided.clone())
    }
}

/// Files in quarantine: the last version of each.
#[derive(Debug, Default)]
pub struct InMemoryQuarantine {
    files: Mutex<BTreeMap<String, (String, Bytes)>>,
    /// Of `read`.
    pub failures: InjectedFaults,
}

impl InMemoryQuarantine {
    /// Puts a file there.
    pub fn put(&self, key: &str, etag: &str, content: impl Into<Bytes>) {
        lock(&self.files).insert(key.to_owned(), (etag.to_owned(), content.into()));
    }
}

#[async_trait]
impl Quarantine for InMemoryQuarantine {
    async fn read(&self, file: &FileVersion, most: u32) -> anyhow::Result<Found> {
        self.failures.check("reading the quarantine")?;
        Ok(match lock(&self.files).get(&file.key) {
            Some((etag, _)) if *etag != file.etag => Found::Gone,
            Some((_, content)) if content.len() > usize::try_from(most)? => Found::TooLarge,
            Some((_, content)) => Found::File(content.clone()),
            None => Found::Gone,
        })
    }
}

/// A scanner that finds what it is told to find. Its messages are an object with `key` and `etag`.
#[derive(Debug, Default)]
pub struct InMemoryScanner {
    verdict: Mutex<Option<Verdict>>,
    /// Of `scan`.
    pub failures: InjectedFaults,
}

impl InMemoryScanner {
    /// From now on, it says so of every file. All are clean before that.
    pub fn say(&self, verdict: Verdict) {
        *lock(&self.verdict) = Some(verdict);
    }
}

#[async_trait]
impl Scanner for InMemoryScanner {
    fn arrival(&self, message: &Value) -> Result<Arrival, Failure> {
        let text = |name: &str| message.get(name).and_then(Value::as_str).map(str::to_owned);
        let (Some(key), Some(etag)) = (text("key"), text("etag")) else {
            return Err(Failure::poison("a message without a key or an etag"));
        };
        Ok(Arrival { file: FileVersion { key, etag, version: None }, verdict: None })
    }

    async fn scan(&self, _: &Arrival, _: Bytes) -> anyhow::Result<Verdict> {
        self.failures.check("scanning")?;
        Ok(lock(&self.verdict).clone().unwrap_or(Verdict::Clean))
    }
}

/// Forms that nobody signed.
#[derive(Debug, Default)]
pub struct UnsignedForms;

#[async_trait]
impl UploadForms for UnsignedForms {
    async fn form(&self, permit: &Permit) -> anyhow::Result<Form> {
        let fields = [("key", &permit.key), ("Content-Type", &permit.content_type)];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.clone())).into();
        Ok(Form { url: "https://uploads.example.com/".to_owned(), fields })
    }
}
