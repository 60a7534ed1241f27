//! The port to the payment records.

use async_trait::async_trait;
use domain::OrderId;
use domain::payment::Payment;

/// The payment records, one per order.
#[async_trait]
pub trait Payments: Send + Sync {
    /// Returns the record of an order, if there is one.
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Payment>>;

    /// Writes `payment` on condition that the stored record has the version `payment.version - 1`, or that
    /// there is none if that is 0. Returns false, and writes nothing, if the condition is not met.
    async fn write(&self, payment: &Payment) -> anyhow::Result<bool>;
}
