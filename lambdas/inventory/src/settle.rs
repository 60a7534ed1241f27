//! `settle-reservation`: sells or frees what was held, as the payment came out.

use std::sync::Arc;

use async_trait::async_trait;
use domain::event::ReservationSettled;
use domain::reservation::ReservationState;
use domain::{Event, Fact};
use platform::{Clock, EventHandler, Failure};

use crate::client::Inventory;

/// `payment.succeeded` → `reservation.committed`; `payment.failed` or `payment.voided` → `reservation.released`.
pub struct SettleReservation {
    /// The inventory's API.
    pub inventory: Arc<dyn Inventory>,
    /// Time.
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
            other => return Err(Failure::poison(format!("{} is not for this function", other.name()))),
        };
        let fact = match reservation.state {
            ReservationState::Committed => Fact::ReservationCommitted(ReservationSettled {}),
            ReservationState::Released => Fact::ReservationReleased(ReservationSettled {}),
            // Nothing was held, so nothing is free now that was not before.
            ReservationState::Rejected { .. } => return Ok(Vec::new()),
            ReservationState::Held => {
                return Err(Failure::retry(anyhow::anyhow!("the inventory still holds the stock")));
            }
        };
        Ok(vec![Event::new(event.subject, fact, self.clock.now(), event.to_cause())])
    }
}
