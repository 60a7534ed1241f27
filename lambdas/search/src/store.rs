//! The ports: the index, and what is asked of the inventory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::{OrderId, ProductName, Sku};

use crate::document::Document;
use crate::query::{Page, Query};

/// What became of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indexed {
    /// The index changed.
    Written,
    /// It said nothing new: it came before, or is older than what the index has.
    Unchanged,
    /// The order is removed, and stays so.
    Removed,
}

/// An index of orders. Any number may write to it at the same time; what was written may be found a moment later.
#[async_trait]
pub trait OrderIndex: Send + Sync {
    /// Takes a document in, [joined](Document::joined) with what is known of the order: never back to an older one.
    /// When it answers well, the order is found by all of its words. After a failure it may be found by some; doing it
    /// again mends that.
    async fn index(&self, document: Document) -> anyhow::Result<Indexed>;

    /// Forgets an order for good: an image of it that comes later, or late, does not bring it back. Safe to repeat.
    async fn remove(&self, order: OrderId) -> anyhow::Result<()>;

    /// Finds orders. Never one that is not the audience's, and never one by what is no longer so.
    async fn search(&self, query: &Query) -> anyhow::Result<Page>;
}

/// Tells what products are called.
#[async_trait]
pub trait ProductNames: Send + Sync {
    /// The names of these products, as far as they can be found out soon. One that is missing there has no name yet, or
    /// the inventory did not answer: an order is found without it until it is indexed the next time.
    async fn names(&self, skus: &[Sku]) -> BTreeMap<Sku, ProductName>;
}
