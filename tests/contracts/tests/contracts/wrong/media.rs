//! Wrong stores of images and a wrong quarantine, which violate the contracts.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use contracts::{images, quarantine};
use domain::product::Upload;
use domain::{Sku, UploadId};
use media::adapters::memory::{InMemoryImages, InMemoryQuarantine};
use media::store::{FileVersion, Images, Quarantine, ReadOutcome};
use platform::lock;
use std::collections::BTreeMap;
use std::sync::Mutex;

use super::assert_violations;
use crate::memory::Uploader;

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Creates an upload again.
    CreatesAgain,
    /// Replaces the first completion.
    CompletesAgain,
    /// Shows the image that was completed last.
    ShowsTheLastCompletion,
}

struct Wrong {
    fault: Fault,
    store: InMemoryImages,
    /// What the fault has overwritten.
    overwritten: Mutex<BTreeMap<(Sku, UploadId), Upload>>,
    current: Mutex<BTreeMap<Sku, Upload>>,
}

impl Wrong {
    fn overwrite(&self, upload: &Upload) {
        lock(&self.overwritten).insert((upload.sku.clone(), upload.id), upload.clone());
    }
}

#[async_trait]
impl Images for Wrong {
    async fn create(&self, upload: &Upload) -> anyhow::Result<()> {
        if self.fault == Fault::CreatesAgain {
            self.overwrite(upload);
        }
        self.store.create(upload).await
    }

    async fn get(&self, sku: &Sku, id: UploadId) -> anyhow::Result<Option<Upload>> {
        let overwritten = lock(&self.overwritten).get(&(sku.clone(), id)).cloned();
        if overwritten.is_some() { Ok(overwritten) } else { self.store.get(sku, id).await }
    }

    async fn latest(&self, sku: &Sku) -> anyhow::Result<Option<Upload>> {
        let Some(latest) = self.store.latest(sku).await? else { return Ok(None) };
        self.get(sku, latest.id).await
    }

    async fn current(&self, sku: &Sku) -> anyhow::Result<Option<Upload>> {
        let current = lock(&self.current).get(sku).cloned();
        if current.is_some() { Ok(current) } else { self.store.current(sku).await }
    }

    async fn complete(&self, completed: &Upload) -> anyhow::Result<Upload> {
        let stored = self.store.complete(completed).await?;
        match self.fault {
            Fault::CreatesAgain => {
                lock(&self.overwritten).remove(&(completed.sku.clone(), completed.id));
            }
            Fault::CompletesAgain => {
                self.overwrite(completed);
                return Ok(completed.clone());
            }
            Fault::ShowsTheLastCompletion if completed.replaces(None) => {
                lock(&self.current).insert(completed.sku.clone(), stored.clone());
            }
            Fault::ShowsTheLastCompletion => {}
        }
        Ok(stored)
    }
}

#[tokio::test]
async fn wrong_images_violate_the_expected_contracts() {
    for (fault, expected) in [
        (Fault::CreatesAgain, &["an_upload_is_created_once"][..]),
        (Fault::CompletesAgain, &["concurrent_completions_have_one_winner", "the_first_completion_counts"]),
        (
            Fault::ShowsTheLastCompletion,
            &["the_newest_ready_upload_is_current", "the_first_completion_counts"],
        ),
    ] {
        let world = async || {
            let (store, overwritten, current) = Default::default();
            Ok(images::World { images: Arc::new(Wrong { fault, store, overwritten, current }) })
        };
        assert_violations(images::violations(world).await, expected);
    }
}

/// Reads the current version of a file, whichever was scanned.
struct IgnoresVersions(Arc<InMemoryQuarantine>, Mutex<BTreeMap<String, FileVersion>>);

#[async_trait]
impl Quarantine for IgnoresVersions {
    async fn read(&self, file: &FileVersion, max_bytes: u32) -> anyhow::Result<ReadOutcome> {
        let current = lock(&self.1).get(&file.key).cloned();
        self.0.read(current.as_ref().unwrap_or(file), max_bytes).await
    }
}

#[async_trait]
impl quarantine::Uploader for IgnoresVersions {
    async fn upload(&self, key: &str, content: Bytes) -> anyhow::Result<FileVersion> {
        let version = Uploader(self.0.clone()).upload(key, content).await?;
        lock(&self.1).insert(key.to_owned(), version.clone());
        Ok(version)
    }
}

#[tokio::test]
async fn a_quarantine_that_ignores_versions() {
    let world = async || {
        let wrong = Arc::new(IgnoresVersions(Arc::default(), Mutex::default()));
        Ok(quarantine::World { quarantine: wrong.clone(), uploader: wrong })
    };
    let expected = ["a_replaced_file_is_not_mistaken_for_the_replacement"];
    assert_violations(quarantine::violations(world).await, &expected);
}
