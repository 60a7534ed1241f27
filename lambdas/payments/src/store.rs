//! The port to the payment records.

use async_trait::async_trait;
use domain::OrderId;
use domain::payment::Payment;

/// The payment records, one per order.
#[async_trait]
pub trait Payments: Send + Sync {
    /// The record of an order.
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Payment>>;

    /// Writes `payment` on condition that the record is still the one before it: of version
    /// `payment.version - 1`, or none where that is 0. False, and nothing written, when it is not.
    async fn write(&self, payment: &Payment) -> anyhow::Result<bool>;
}
