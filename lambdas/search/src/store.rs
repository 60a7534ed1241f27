//! The ports to the index and to the inventory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::{OrderId, ProductName, Sku};

use crate::document::Document;
use crate::query::{Page, Query};

/// The outcome of indexing a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexOutcome {
    /// The index was changed.
    Written,
    /// The document contained nothing new: it is a duplicate, or older than the indexed one.
    Unchanged,
    /// The order was removed earlier, and stays removed.
    Removed,
}

/// An index of orders. Any number of writers may use it concurrently. Searches are eventually consistent.
#[async_trait]
pub trait OrderIndex: Send + Sync {
    /// Indexes a document, [merged](Document::merged_with) with the indexed one, so that the version never
    /// decreases. On success, the order is found by all of its words. After a failure it may be found by some
    /// of them; a retry repairs that.
    async fn index(&self, document: Document) -> anyhow::Result<IndexOutcome>;

    /// Removes an order permanently: later images of it, including delayed ones, do not restore it.
    /// Idempotent.
    async fn remove(&self, order: OrderId) -> anyhow::Result<()>;

    /// Searches orders. Never returns an order outside the audience, nor one that only its former contents
    /// match.
    async fn search(&self, query: &Query) -> anyhow::Result<Page>;
}

/// Looks up product names.
#[async_trait]
pub trait ProductNames: Send + Sync {
    /// Returns the names of the products, as far as they are available within a short time. A name is missing
    /// if the product does not exist yet or the inventory does not respond; the order is then indexed without
    /// it until it is indexed again.
    async fn names(&self, skus: &[Sku]) -> BTreeMap<Sku, ProductName>;
}
