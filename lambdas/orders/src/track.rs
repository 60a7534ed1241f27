//! `track-order`: updates the state of orders from events.

use std::sync::Arc;

use async_trait::async_trait;
use domain::order::{Applied, Order};
use domain::{Event, Fact};
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
            let stored = self.orders.get(event.subject).await?;
            match (apply(stored.as_ref().map(|stored| &stored.value), &event.fact), &stored) {
                (Applied::Conflict(reason), _) => return Err(Failure::reject(reason)),
                (Applied::Changed(order), Some(stored)) => {
                    if self.orders.replace(stored, &order, None).await? {
                        tracing::info!(from = ?stored.value.status(), to = ?order.status(), "status changed");
                        return Ok(Vec::new());
                    }
                }
                (Applied::Unchanged | Applied::Changed(_), _) => return Ok(Vec::new()),
            }
        }
    }
}

/// Applies a fact to the stored order. An order that is not in the table belongs to another order service, and is
/// left alone.
pub fn apply(stored: Option<&Order>, fact: &Fact) -> Applied {
    stored.map_or(Applied::Unchanged, |order| order.apply(fact))
}
