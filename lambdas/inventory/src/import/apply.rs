//! Applies each row to the stock exactly once.
//!
//! The first valid row of a SKU writes a deduplication marker in the same transaction as its effect. A
//! rejected row writes one too, so that it is rejected again when it is reprocessed. The key of the marker is
//! the SKU and the content of the file.

use domain::{DeliveryId, Sku};
use platform::Clock;
use platform::optimistic::Attempts;

use super::row::{Row, RowError, Tax};
use super::store::{Change, CurrentState, DedupMarker, ProductChange, Stock};
use crate::product::{MAX_STOCK, Offer};

/// The number of rows per transaction. A row takes two of the 100 operations that DynamoDB allows, and the
/// more rows a transaction has, the more likely it conflicts with an order
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html>).
pub const BATCH_SIZE: usize = 25;

/// The outcome of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The row has been applied, in this run or an earlier one.
    Applied,
    /// The row was applied before, when the same content was uploaded under another name.
    Repeated,
    /// The row has no effect, because an earlier row of the file has the same SKU.
    Duplicate {
        /// The line number of the earlier row.
        first: u64,
    },
    /// The row has no effect, for this reason.
    Rejected(RowError),
}

/// The action to take for a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing changes: the row has been processed before.
    Unchanged(Outcome),
    /// Write the change. The outcome applies once it has been written.
    Write(Change, Outcome),
}

/// Decides how to process a row.
pub fn decide(row: &Row, line: u64, file: &str, current: &CurrentState) -> Decision {
    if let Some(marker) = &current.marker {
        return Decision::Unchanged(match &marker.rejection {
            _ if marker.line != line => Outcome::Duplicate { first: marker.line },
            Some(error) => Outcome::Rejected(error.clone()),
            None if marker.file == file => Outcome::Applied,
            None => Outcome::Repeated,
        });
    }
    let available = current.product.as_ref().map_or(0, |product| product.available);
    let marker = |quantity, rejection| DedupMarker { quantity, line, file: file.to_owned(), rejection };
    if available > MAX_STOCK.saturating_sub(row.quantity) {
        let error = RowError::new("quantity", format!("the stock would exceed {MAX_STOCK} pieces"));
        let change = Change { sku: row.sku.clone(), marker: marker(0, Some(error.clone())), product: None };
        return Decision::Write(change, Outcome::Rejected(error));
    }
    let current_rate = current.product.as_ref().and_then(|product| product.tax_rate);
    let tax_rate = match row.tax {
        Tax::Unchanged => current_rate,
        Tax::Rate(rate) => rate,
    };
    let offer = Offer { name: row.name.clone(), price: row.price, tax_rate };
    let is_unchanged = current.product.as_ref().is_some_and(|product| {
        product.name == offer.name && product.price == offer.price && product.tax_rate == tax_rate
    });
    let product = ProductChange {
        expected_revision: current.product.as_ref().map(|product| product.revision),
        offer: (!is_unchanged).then_some(offer),
        quantity: row.quantity,
    };
    let change = Change { sku: row.sku.clone(), marker: marker(row.quantity, None), product: Some(product) };
    Decision::Write(change, Outcome::Applied)
}

/// The error of a row whose SKU is already on another line.
pub fn duplicate_error(line: u64) -> RowError {
    RowError::new("sku", format!("is already on line {line}: a file may have only one row per SKU"))
}

/// Applies the rows of a file.
pub struct Applier<'a> {
    /// The store to which the rows are applied.
    pub stock: &'a dyn Stock,
    /// Supplies the time and random numbers.
    pub clock: &'a dyn Clock,
    /// The delivery id that identifies the content of the file.
    pub delivery: &'a DeliveryId,
    /// The key of the file.
    pub file: &'a str,
}

impl Applier<'_> {
    /// Applies at most [`BATCH_SIZE`] rows of distinct SKUs and returns their outcomes.
    ///
    /// # Errors
    /// When the store fails, or write conflicts persist. Some of the rows may have been applied.
    pub async fn apply(&self, rows: &[(u64, Row)]) -> anyhow::Result<Vec<Outcome>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(outcomes) = self.try_apply(rows).await? {
            return Ok(outcomes);
        }
        // A write conflict: apply each row on its own, so that one conflict does not block the other rows.
        let mut outcomes = Vec::with_capacity(rows.len());
        for row in rows {
            outcomes.push(self.apply_one(row).await?);
        }
        Ok(outcomes)
    }

    async fn apply_one(&self, row: &(u64, Row)) -> anyhow::Result<Outcome> {
        let mut attempts = Attempts::at(format!("the row on line {}", row.0), self.clock);
        loop {
            attempts.start().await?;
            if let Some(outcome) =
                self.try_apply(std::slice::from_ref(row)).await?.and_then(|mut outcomes| outcomes.pop())
            {
                return Ok(outcome);
            }
        }
    }

    /// Reads, decides and writes once. Returns `None` if there is a write conflict.
    async fn try_apply(&self, rows: &[(u64, Row)]) -> anyhow::Result<Option<Vec<Outcome>>> {
        let skus: Vec<Sku> = rows.iter().map(|(_, row)| row.sku.clone()).collect();
        let mut states = self.stock.read(self.delivery, &skus).await?;
        let (mut changes, mut outcomes) = (Vec::new(), Vec::with_capacity(rows.len()));
        for (line, row) in rows {
            let current = states.remove(&row.sku).unwrap_or_default();
            outcomes.push(match decide(row, *line, self.file, &current) {
                Decision::Unchanged(outcome) => outcome,
                Decision::Write(change, outcome) => {
                    changes.push(change);
                    outcome
                }
            });
        }
        let written = changes.is_empty() || self.stock.write(self.delivery, &changes).await?;
        Ok(written.then_some(outcomes))
    }
}
