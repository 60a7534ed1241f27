//! `media::store::Quarantine`: uploaded files until they are found to be clean.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use media::store::{FileVersion, Quarantine, ReadOutcome};

use crate::check::{contract_suite, same};

/// A client that uploads files.
#[async_trait]
pub trait Uploader: Send + Sync {
    /// Uploads a file, and returns the version that was created.
    async fn upload(&self, key: &str, content: Bytes) -> anyhow::Result<FileVersion>;
}

/// An empty quarantine.
#[derive(Clone)]
pub struct World {
    /// The quarantine under test.
    pub quarantine: Arc<dyn Quarantine>,
    /// A client of the same quarantine.
    pub uploader: Arc<dyn Uploader>,
}

contract_suite!(World:
    a_file_is_read_up_to_the_size_limit,
    a_missing_file_is_gone,
    a_replaced_file_is_not_mistaken_for_the_replacement,
);

const KEY: &str = "uploads/TEA-001/ü & +";

fn content(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

async fn a_file_is_read_up_to_the_size_limit(world: &World) -> anyhow::Result<()> {
    let file = world.uploader.upload(KEY, content("an image")).await?;
    let whole = ReadOutcome::File(content("an image"));
    same("at the limit", world.quarantine.read(&file, 8).await?, whole.clone())?;
    same("above it", world.quarantine.read(&file, 7).await?, ReadOutcome::TooLarge)?;
    // The messages of some scanners have no version.
    let file = FileVersion { version: None, ..file };
    same("without a version", world.quarantine.read(&file, 8).await?, whole)
}

async fn a_missing_file_is_gone(world: &World) -> anyhow::Result<()> {
    let missing = FileVersion {
        key: KEY.to_owned(),
        etag: "d41d8cd98f00b204e9800998ecf8427e".to_owned(),
        version: None,
    };
    same("a missing file", world.quarantine.read(&missing, 8).await?, ReadOutcome::Gone)
}

async fn a_replaced_file_is_not_mistaken_for_the_replacement(world: &World) -> anyhow::Result<()> {
    let clean = world.uploader.upload(KEY, content("clean")).await?;
    let malware = world.uploader.upload(KEY, content("malware")).await?;
    // A bucket with versions still has it.
    let read = world.quarantine.read(&clean, 99).await?;
    let is_right = read == ReadOutcome::Gone || read == ReadOutcome::File(content("clean"));
    anyhow::ensure!(is_right, "the replaced version: is {read:?}");
    let without = FileVersion { version: None, ..clean };
    same("without a version", world.quarantine.read(&without, 99).await?, ReadOutcome::Gone)?;
    let current = ReadOutcome::File(content("malware"));
    same("the replacement", world.quarantine.read(&malware, 99).await?, current)
}
