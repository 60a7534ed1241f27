//! `track-order`: moves orders along as events come in.

use std::sync::Arc;

use async_trait::async_trait;
use domain::Event;
use domain::order::Applied;
use platform::{EventHandler, Failure};

use crate::store::Orders;

/// How often a write is tried again that another event was faster with.
const TRIES: usize = 5;

/// Has the order of each event follow it.
pub struct TrackOrder {
    /// The orders.
    pub orders: Arc<dyn Orders>,
}

#[async_trait]
impl EventHandler for TrackOrder {
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        for _ in 0..TRIES {
            // An order that another order service placed is not in our table, and not ours to follow.
            let Some(stored) = self.orders.get(event.subject).await? else {
                tracing::debug!("not an order of ours");
                return Ok(Vec::new());
            };
            match stored.order.apply(&event.fact) {
                Applied::Unchanged => return Ok(Vec::new()),
                Applied::Conflict(why) => return Err(Failure::reject(why)),
                Applied::Changed(order) => {
                    if self.orders.replace(&stored, &order, None).await? {
                        tracing::info!(from = ?stored.order.status(), to = ?order.status(), "order moved");
                        return Ok(Vec::new());
                    }
                }
            }
        }
        Err(Failure::retry(anyhow::anyhow!("the order changed {TRIES} times while it was being written")))
    }
}
