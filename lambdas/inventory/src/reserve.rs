//! `reserve-inventory`: holds stock for each new order.

use std::sync::Arc;

use async_trait::async_trait;
use domain::event::{ReservationConfirmed, ReservationRejected};
use domain::reservation::ReservationState;
use domain::{Event, Fact};
use platform::{Clock, EventHandler, Failure};

use crate::client::Inventory;

/// `order.created` → `reservation.confirmed` or `reservation.rejected`.
pub struct ReserveInventory {
    /// The inventory's API.
    pub inventory: Arc<dyn Inventory>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl EventHandler for ReserveInventory {
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        let Fact::OrderCreated(created) = &event.fact else {
            return Err(Failure::poison(format!("{} is not for this function", event.fact.name())));
        };
        let order = created.order.clone();
        let correlation_id = event.cause.correlation_id.as_str();
        let reservation = self.inventory.reserve(event.subject, &order.lines, correlation_id).await?;
        let fact = match reservation.state {
            // Sold already: this is a late repeat, and what it publishes again has the id that it had.
            ReservationState::Held | ReservationState::Committed => {
                Fact::ReservationConfirmed(ReservationConfirmed { order })
            }
            ReservationState::Rejected { shortages } => {
                Fact::ReservationRejected(ReservationRejected { order, shortages })
            }
            // Given up before it came, or long over.
            ReservationState::Released => return Ok(Vec::new()),
        };
        Ok(vec![Event::new(event.subject, fact, self.clock.now(), event.to_cause())])
    }
}
