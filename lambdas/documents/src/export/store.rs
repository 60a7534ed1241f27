//! The ports of exports.

use async_trait::async_trait;

use super::{Export, ExportId};
use crate::ledger::store::Versioned;

/// What became of the wish to write a new export down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateResult {
    /// It is new.
    Created,
    /// It was there before.
    AlreadyExists(Box<Versioned<Export>>),
}

/// The exports.
#[async_trait]
pub trait Exports: Send + Sync {
    /// Writes a new one down, with the version 1.
    async fn create(&self, export: &Export) -> anyhow::Result<CreateResult>;

    /// One of them.
    async fn get(&self, id: ExportId) -> anyhow::Result<Option<Versioned<Export>>>;

    /// Writes `export` in place of what was read, and gives it back as it now stands. `None`, and nothing written, when
    /// what was read is no longer so.
    async fn replace(
        &self,
        read: &Versioned<Export>,
        export: Export,
    ) -> anyhow::Result<Option<Versioned<Export>>>;
}

/// The queue that `export-orders` works on.
#[async_trait]
pub trait ExportQueue: Send + Sync {
    /// Has an export worked on.
    async fn send(&self, id: ExportId) -> anyhow::Result<()>;
}
