//! `settle-reservation`: commits or releases a reservation, depending on the outcome of the payment.

use std::sync::Arc;

use async_trait::async_trait;
use domain::fact::ReservationSettled;
use domain::reservation::ReservationState;
use domain::{Event, Fact};
use jiff::Timestamp;
use platform::{Clock, EventHandler, Failure};

use crate::client::Inventory;
use crate::command::Command;

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
        let reservation = match Command::of(&event.fact) {
            Some(Command::Commit) => self.inventory.commit(event.subject, correlation_id).await?,
            Some(Command::Release) => self.inventory.release(event.subject, correlation_id).await?,
            Some(Command::Reserve(_)) | None => {
                return Err(Failure::poison(format!("unexpected event type {}", event.fact.name())));
            }
        };
        Ok(outcome(event, &reservation.state, self.clock.now())?.into_iter().collect())
    }
}

/// Returns the event that reports the state of the reservation after `event`, the outcome of the payment. `None` if
/// nothing was reserved, so that there is nothing to release.
///
/// # Errors
/// [`Failure::Retry`] if the stock is still reserved.
pub fn outcome(event: &Event, state: &ReservationState, now: Timestamp) -> Result<Option<Event>, Failure> {
    let fact = match state {
        ReservationState::Committed => Fact::ReservationCommitted(ReservationSettled {}),
        ReservationState::Released => Fact::ReservationReleased(ReservationSettled {}),
        ReservationState::Rejected { .. } => return Ok(None),
        ReservationState::Held => {
            return Err(Failure::retry(anyhow::anyhow!(
                "the inventory service reports the stock as still reserved"
            )));
        }
    };
    Ok(Some(Event::new(event.subject, fact, now, event.to_cause())))
}
