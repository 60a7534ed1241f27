//! `reserve-inventory`: reserves stock for each new order.

use std::sync::Arc;

use async_trait::async_trait;
use domain::fact::{ReservationConfirmed, ReservationRejected};
use domain::reservation::ReservationState;
use domain::{Event, Fact};
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
        let order = created.order.clone();
        let correlation_id = event.cause.correlation_id.as_str();
        let reservation = self.inventory.reserve(event.subject, &order.lines, correlation_id).await?;
        let fact = match reservation.state {
            // A committed reservation means a late redelivery: the event is published again with the same id.
            ReservationState::Held | ReservationState::Committed => {
                Fact::ReservationConfirmed(ReservationConfirmed { order })
            }
            ReservationState::Rejected { shortages } => {
                Fact::ReservationRejected(ReservationRejected { order, shortages })
            }
            // The order was voided before this event arrived, or this is a late redelivery.
            ReservationState::Released => return Ok(Vec::new()),
        };
        Ok(vec![Event::new(event.subject, fact, self.clock.now(), event.to_cause())])
    }
}
