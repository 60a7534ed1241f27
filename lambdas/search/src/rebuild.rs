//! Reconciles the index with the orders table: indexes all orders again, exactly as the stream does, and
//! removes those that the table no longer contains. It is safe to run at any time, concurrently with the
//! stream, and repeatedly: it does not write entries that are up to date, so a second run costs only reads.

use domain::OrderId;
use futures::stream::{StreamExt, TryStreamExt, iter};

use crate::index_order::IndexOrder;
use crate::store::{IndexOutcome, OrderImages, OrderIndex};

/// The result of a rebuild, or of a part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// The number of orders that were examined.
    pub orders: u64,
    /// The number of these that were missing from the index or outdated.
    pub written: u64,
    /// The number of orders that were removed from the index because the table does not contain them.
    pub removed: u64,
    /// The errors of rows that are not valid orders.
    pub invalid_rows: Vec<String>,
}

impl Counts {
    /// Adds the counts of another part.
    pub fn add(&mut self, other: Self) {
        self.orders = self.orders.saturating_add(other.orders);
        self.written = self.written.saturating_add(other.written);
        self.removed = self.removed.saturating_add(other.removed);
        self.invalid_rows.extend(other.invalid_rows);
    }
}

/// The number of orders that are indexed concurrently.
const CONCURRENCY: usize = 16;

/// Indexes the orders in one of `total_segments` segments of the table, and calls `report` after every page.
///
/// # Errors
/// If a table cannot be read or written. Retrying is safe.
pub async fn index_segment(
    indexer: &IndexOrder,
    images: &dyn OrderImages,
    segment: u32,
    total_segments: u32,
    mut report: impl FnMut(Counts),
) -> anyhow::Result<()> {
    let mut after = None;
    loop {
        let page = images.read_page(segment, total_segments, after.as_ref()).await?;
        let outcomes: Vec<IndexOutcome> = iter(&page.images)
            .map(|image| indexer.index(image))
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await?;
        let written = outcomes.iter().filter(|outcome| **outcome == IndexOutcome::Written).count();
        report(Counts {
            orders: u64::try_from(page.images.len())?,
            written: u64::try_from(written)?,
            removed: 0,
            invalid_rows: page.invalid_rows,
        });
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Removes the given orders from the index that the table does not contain, and returns their number.
///
/// # Errors
/// If a table cannot be read or written. Retrying is safe.
pub async fn remove_missing(
    index: &dyn OrderIndex,
    images: &dyn OrderImages,
    orders: &[OrderId],
) -> anyhow::Result<u64> {
    let missing = images.find_missing(orders).await?;
    for order in &missing {
        index.remove(*order).await?;
    }
    Ok(u64::try_from(missing.len())?)
}
