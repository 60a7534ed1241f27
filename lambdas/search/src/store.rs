//! The ports to the index, the inventory and the orders table.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::{OrderId, ProductName, Sku};

use crate::document::Document;
use crate::image::OrderImage;
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

/// A page of the orders table.
#[derive(Debug, Clone, Default)]
pub struct ImagePage {
    /// The orders on the page.
    pub images: Vec<OrderImage>,
    /// The errors of rows that are not valid orders, one line for each row.
    pub invalid_rows: Vec<String>,
    /// The order after which the next page starts; `None` on the last page.
    pub next: Option<OrderId>,
}

/// Read access to the orders table.
#[async_trait]
pub trait OrderImages: Send + Sync {
    /// Reads a page of one of `total_segments` segments of the table.
    async fn read_page(
        &self,
        segment: u32,
        total_segments: u32,
        after: Option<&OrderId>,
    ) -> anyhow::Result<ImagePage>;

    /// Returns the orders that the table does not contain.
    async fn find_missing(&self, orders: &[OrderId]) -> anyhow::Result<Vec<OrderId>>;
}
