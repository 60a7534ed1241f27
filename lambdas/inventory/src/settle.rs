//! `settle-reservation`: commits or releases a reservation, depending on the outcome of the payment.

use std::sync::Arc;

use async_trait::async_trait;
use domain::fact::ReservationSettled;
use domain::reservation::ReservationState;
use domain::{Event, Fact};
use platform::{Clock, EventHandler, Failure};

use crate::client::Inventory;

/// `payment.succeeded` → `reservation.committed`; `payment.failed` or `payment.voided` →
/// `reservation.released`.
pub struct SettleReservation {
    /// The client of the inventory API.
    pub inventory: Arc<dyn Inventory>,
    /// Supplies the time.
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl EventHandler for SettleReservation {
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        let correlation_id = event.cause.correlation_id.as_str();
        let reservation = match &event.fact {
            Fact::PaymentSucceeded(_) => self.inventory.commit(event.subject, correlation_id).await?,
            Fact::PaymentFailed(_) | Fact::PaymentVoided(_) => {
                self.inventory.release(event.subject, correlation_id).await?
            }
            other => return Err(Failure::poison(format!("unexpected event type {}", other.name()))),
        };
        let fact = match reservation.state {
            ReservationState::Committed => Fact::ReservationCommitted(ReservationSettled {}),
            ReservationState::Released => Fact::ReservationReleased(ReservationSettled {}),
            // Nothing was reserved, so there is nothing to release.
            ReservationState::Rejected { .. } => return Ok(Vec::new()),
            ReservationState::Held => {
                return Err(Failure::retry(anyhow::anyhow!(
                    "the inventory service reports the stock as still reserved"
                )));
            }
        };
        Ok(vec![Event::new(event.subject, fact, self.clock.now(), event.to_cause())])
    }
}
