//! The ports to what is kept.

use async_trait::async_trait;
use domain::OrderId;

use super::record::Invoice;

/// What became of an invoice that was to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutResult {
    /// It is issued.
    Written,
    /// The order has an invoice: this one or another.
    OrderHasInvoice,
    /// Its number is not the next one, or somebody else is writing.
    NumberConflict,
}

/// Invoices, and the last number of each year.
#[async_trait]
pub trait Invoices: Send + Sync {
    /// The invoice of an order.
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Invoice>>;

    /// The last number of a year, 0 where there is none.
    async fn last_serial(&self, year: i16) -> anyhow::Result<u32>;

    /// Writes an invoice and takes its number, both or neither: only if its number is the one after the year's last, and
    /// its order has no invoice.
    async fn put(&self, invoice: &Invoice) -> anyhow::Result<PutResult>;
}
