//! Brings the index together with the orders table again: all orders are indexed once more, as the stream does it and
//! under the same conditions, and those that the table no longer has are removed. It may run while the stream does, at
//! any time and any number of times; what it finds right it leaves alone, so that doing it again costs reads only.

use async_trait::async_trait;
use domain::OrderId;
use futures::stream::{StreamExt, TryStreamExt, iter};

use crate::image::OrderImage;
use crate::index_order::IndexOrder;
use crate::store::{Indexed, OrderIndex};

/// Rows of the orders table.
#[derive(Debug, Clone, Default)]
pub struct ImagePage {
    /// The orders.
    pub images: Vec<OrderImage>,
    /// What rows that are no orders lack, one line for each.
    pub not_understood: Vec<String>,
    /// Where the next page starts behind, if there is one.
    pub next: Option<OrderId>,
}

/// The orders table.
#[async_trait]
pub trait OrderImages: Send + Sync {
    /// A page of one of `of` parts of the table.
    async fn page(&self, segment: u32, of: u32, after: Option<&OrderId>) -> anyhow::Result<ImagePage>;

    /// Those of the orders that the table does not have.
    async fn missing(&self, orders: &[OrderId]) -> anyhow::Result<Vec<OrderId>>;
}

/// What a rebuild did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Orders that were looked at.
    pub orders: u64,
    /// Those of them that the index had otherwise, or not at all.
    pub written: u64,
    /// Orders that the index had and the table has not.
    pub removed: u64,
    /// Rows that are no orders.
    pub not_understood: Vec<String>,
}

impl Counts {
    /// Both.
    pub fn add(&mut self, other: Self) {
        self.orders = self.orders.saturating_add(other.orders);
        self.written = self.written.saturating_add(other.written);
        self.removed = self.removed.saturating_add(other.removed);
        self.not_understood.extend(other.not_understood);
    }
}

/// Orders that are indexed at the same time.
const AT_ONCE: usize = 16;

/// Indexes the orders of one of `of` parts of the table. `tell` hears of every page.
///
/// # Errors
/// When a table cannot be read or written. Doing it again is safe.
pub async fn index_segment(
    indexer: &IndexOrder,
    images: &dyn OrderImages,
    segment: u32,
    of: u32,
    mut tell: impl FnMut(Counts),
) -> anyhow::Result<()> {
    let mut after = None;
    loop {
        let page = images.page(segment, of, after.as_ref()).await?;
        let indexed: Vec<Indexed> = iter(&page.images)
            .map(|image| indexer.index(image))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        let written = indexed.iter().filter(|indexed| **indexed == Indexed::Written).count();
        tell(Counts {
            orders: u64::try_from(page.images.len())?,
            written: u64::try_from(written)?,
            removed: 0,
            not_understood: page.not_understood,
        });
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Removes those of the orders that the table does not have, and gives back how many they were.
///
/// # Errors
/// When a table cannot be read or written. Doing it again is safe.
pub async fn remove_missing(
    index: &dyn OrderIndex,
    images: &dyn OrderImages,
    orders: &[OrderId],
) -> anyhow::Result<u64> {
    let missing = images.missing(orders).await?;
    for order in &missing {
        index.remove(*order).await?;
    }
    Ok(u64::try_from(missing.len())?)
}
