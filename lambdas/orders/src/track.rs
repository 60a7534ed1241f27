//! `track-order`: updates the state of orders from events.

use std::sync::Arc;

use async_trait::async_trait;
use domain::Event;
use domain::order::Applied;
use platform::optimistic::Attempts;
use platform::{Clock, EventHandler, Failure};

use crate::store::Orders;

/// Applies each event to its order.
pub struct TrackOrder {
    /// The store of orders.
    pub orders: Arc<dyn Orders>,
    /// The source of time and random numbers.
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl EventHandler for TrackOrder {
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        let mut attempts = Attempts::at(format!("order {}", event.subject), self.clock.as_ref());
        loop {
            attempts.start().await?;
            // An order of another order service is not in this table and is ignored.
            let Some(stored) = self.orders.get(event.subject).await? else {
                tracing::debug!("the order belongs to another order service");
                return Ok(Vec::new());
            };
            match stored.value.apply(&event.fact) {
                Applied::Unchanged => return Ok(Vec::new()),
                Applied::Conflict(reason) => return Err(Failure::reject(reason)),
                Applied::Changed(order) => {
                    if self.orders.replace(&stored, &order, None).await? {
                        tracing::info!(from = ?stored.value.status(), to = ?order.status(), "status changed");
                        return Ok(Vec::new());
                    }
                }
            }
        }
    }
}
