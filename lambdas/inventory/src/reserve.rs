//! `reserve-inventory`: reserves stock for each new order.

use std::sync::Arc;

use async_trait::async_trait;
use domain::fact::{ReservationConfirmed, ReservationRejected};
use domain::reservation::ReservationState;
use domain::{Event, Fact, OrderDetails};
use jiff::Timestamp;
use platform::{Clock, EventHandler, Failure};

use crate::client::Inventory;

/// `order.created` → `reservation.confirmed` or `reservation.rejected`.
pub struct ReserveInventory {
    /// The client of the inventory API.
    pub inventory: Arc<dyn Inventory>,
    /// Supplies the time.
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl EventHandler for ReserveInventory {
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        let Fact::OrderCreated(created) = &event.fact else {
            return Err(Failure::poison(format!("unexpected event type {}", event.fact.name())));
        };
        let correlation_id = event.cause.correlation_id.as_str();
        let reservation = self.inventory.reserve(event.subject, &created.order.lines, correlation_id).await?;
        Ok(outcome(event, &created.order, reservation.state, self.clock.now()).into_iter().collect())
    }
}

/// Returns the event that reports the state of the reservation after `event`, which created `order`. `None` if the
/// order was voided before `event` arrived, or `event` is a late redelivery.
pub fn outcome(
    event: &Event,
    order: &OrderDetails,
    state: ReservationState,
    now: Timestamp,
) -> Option<Event> {
    let order = order.clone();
    let fact = match state {
        // A committed reservation means a late redelivery: the event is published again with the same id.
        ReservationState::Held | ReservationState::Committed => {
            Fact::ReservationConfirmed(ReservationConfirmed { order })
        }
        ReservationState::Rejected { shortages } => {
            Fact::ReservationRejected(ReservationRejected { order, shortages })
        }
        ReservationState::Released => return None,
    };
    Some(Event::new(event.subject, fact, now, event.to_cause()))
}
