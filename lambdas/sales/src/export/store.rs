//! The ports of exports.

use async_trait::async_trait;

use super::{Export, ExportId};
use platform::optimistic::Versioned;

/// The result of creating an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateResult {
    /// The export was created.
    Created,
    /// An export with this id exists.
    AlreadyExists(Box<Versioned<Export>>),
}

/// The records of exports.
#[async_trait]
pub trait Exports: Send + Sync {
    /// Creates a record, with version 1.
    async fn create(&self, export: &Export) -> anyhow::Result<CreateResult>;

    /// Returns an export by its id.
    async fn get(&self, id: ExportId) -> anyhow::Result<Option<Versioned<Export>>>;

    /// Replaces the record that was read with `export`, and returns the new record. Returns `None`, without
    /// any effect, when the record has changed since it was read.
    async fn replace(
        &self,
        read: &Versioned<Export>,
        export: Export,
    ) -> anyhow::Result<Option<Versioned<Export>>>;
}

/// The queue of `export-orders`.
#[async_trait]
pub trait ExportQueue: Send + Sync {
    /// Sends a message that starts or resumes an export.
    async fn send(&self, id: ExportId) -> anyhow::Result<()>;
}
