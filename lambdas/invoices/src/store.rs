//! The port to the table of invoices.

use async_trait::async_trait;
use domain::OrderId;

use crate::record::Invoice;

/// The result of writing an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutResult {
    /// The invoice is issued.
    Written,
    /// The order already has an invoice: this one or another.
    OrderHasInvoice,
    /// The number is not the next one, or a concurrent write is in progress.
    NumberConflict,
}

/// The invoices, and the last serial of each year.
#[async_trait]
pub trait Invoices: Send + Sync {
    /// Returns the invoice of an order.
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Invoice>>;

    /// Returns the last serial of a year, or 0 if there is none.
    async fn last_serial(&self, year: i16) -> anyhow::Result<u32>;

    /// Writes an invoice and increments the last serial of its year, in one transaction. The conditions are
    /// that its number is the next one and that its order has no invoice.
    async fn put(&self, invoice: &Invoice) -> anyhow::Result<PutResult>;
}
