//! The port to the inventory API, through which the functions of this service reserve stock.

use async_trait::async_trait;
use domain::reservation::Reservation;
use domain::{Lines, OrderId};
use http::StatusCode;

/// Reserves stock, and commits and releases reservations.
#[async_trait]
pub trait Inventory: Send + Sync {
    /// Reserves stock for an order, or returns the existing reservation.
    async fn reserve(
        &self,
        order: OrderId,
        lines: &Lines,
        correlation_id: &str,
    ) -> Result<Reservation, InventoryError>;
    /// Commits the reservation of an order.
    async fn commit(&self, order: OrderId, correlation_id: &str) -> Result<Reservation, InventoryError>;
    /// Releases the reservation of an order.
    async fn release(&self, order: OrderId, correlation_id: &str) -> Result<Reservation, InventoryError>;
}

/// The reason why a call to the inventory service failed.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// The service rejected the request: a retry cannot succeed.
    #[error("the inventory service rejected the request ({status}): {detail}")]
    Rejected {
        /// The HTTP status.
        status: StatusCode,
        /// The `detail` of the response.
        detail: String,
    },
    /// The outcome is unknown: the request may have been executed and can be retried.
    #[error(transparent)]
    Unknown(#[from] anyhow::Error),
}

impl From<InventoryError> for platform::Failure {
    fn from(error: InventoryError) -> Self {
        match error {
            InventoryError::Rejected { .. } => Self::reject(error),
            InventoryError::Unknown(error) => Self::Retry(error),
        }
    }
}
