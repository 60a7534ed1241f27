//! `reserve-inventory`: reserves stock for each new order.

use std::sync::Arc;

use async_trait::async_trait;
use domain::fact::{ReservationConfirmed, ReservationRejected};
use domain::reservation::{Reservation, ReservationState};
use domain::{Event, Fact, OrderDetails};
use platform::{EventHandler, Failure};

use crate::client::Inventory;

/// `order.created` → `reservation.confirmed` or `reservation.rejected`.
pub struct ReserveInventory {
    /// The client of the inventory API.
    pub inventory: Arc<dyn Inventory>,
}

#[async_trait]
impl EventHandler for ReserveInventory {
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        let Fact::OrderCreated(created) = &event.fact else {
            return Err(Failure::poison(format!("unexpected event type {}", event.fact.name())));
        };
        let correlation_id = event.cause.correlation_id.as_str();
        let reservation = self.inventory.reserve(event.subject, &created.order.lines, correlation_id).await?;
        Ok(outcome(event, &created.order, reservation).into_iter().collect())
    }
}

/// Returns the event that reports the state of the reservation after `event`, which created `order`. `None` if the
/// order was voided before `event` arrived, or `event` is a late redelivery.
///
/// The event has the time at which the stock was reserved, not of its publication: a subscriber that forgets ids after
/// some time recognizes an event that is published again later by its age.
pub fn outcome(event: &Event, order: &OrderDetails, reservation: Reservation) -> Option<Event> {
    let order = order.clone();
    let fact = match reservation.state {
        // A committed reservation means a late redelivery: the event is published again with the same id.
        ReservationState::Held | ReservationState::Committed => {
            Fact::ReservationConfirmed(ReservationConfirmed { order })
        }
        ReservationState::Rejected { shortages } => {
            Fact::ReservationRejected(ReservationRejected { order, shortages })
        }
        ReservationState::Released => return None,
    };
    Some(Event::new(event.subject, fact, reservation.created_at, event.to_cause()))
}
