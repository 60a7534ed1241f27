//! `settle-reservation`: commits or releases a reservation, depending on the outcome of the payment.

use std::sync::Arc;

use async_trait::async_trait;
use domain::fact::ReservationSettled;
use domain::reservation::{Reservation, ReservationState};
use domain::{Event, Fact};
use platform::{EventHandler, Failure};

use crate::client::Inventory;
use crate::command::Command;

/// `payment.succeeded` → `reservation.committed`; `payment.failed` or `payment.voided` →
/// `reservation.released`.
pub struct SettleReservation {
    /// The client of the inventory API.
    pub inventory: Arc<dyn Inventory>,
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
        Ok(outcome(event, &reservation)?.into_iter().collect())
    }
}

/// Returns the event that reports the state of the reservation after `event`, the outcome of the payment. `None` if
/// nothing was reserved, so that there is nothing to release.
///
/// # Errors
/// [`Failure::Retry`] if the stock is still reserved.
pub fn outcome(event: &Event, reservation: &Reservation) -> Result<Option<Event>, Failure> {
    let fact = match reservation.state {
        ReservationState::Committed => Fact::ReservationCommitted(ReservationSettled {}),
        ReservationState::Released => Fact::ReservationReleased(ReservationSettled {}),
        ReservationState::Rejected { .. } => return Ok(None),
        ReservationState::Held => {
            return Err(Failure::retry(anyhow::anyhow!(
                "the inventory service reports the stock as still reserved"
            )));
        }
    };
    Ok(Some(Event::new(event.subject, fact, reservation.changed_at, event.to_cause())))
}
