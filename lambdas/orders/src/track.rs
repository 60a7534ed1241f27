//! `track-order`: updates the state of orders from events.

use std::sync::Arc;

use async_trait::async_trait;
use domain::order::{Applied, Order, OrderStatus};
use domain::{Event, Fact, SYNTHETIC_CUSTOMER_ID};
use jiff::Timestamp;
use platform::metrics::TARGET;
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
                        log_change(&stored.value, &order, self.clock.now());
                        return Ok(Vec::new());
                    }
                }
                (Applied::Unchanged | Applied::Changed(_), _) => return Ok(Vec::new()),
            }
        }
    }
}

/// Logs a change, with the metrics of an order that has reached its end. An order of the health check counts for
/// the time that it took, and not as business.
fn log_change(before: &Order, after: &Order, now: Timestamp) {
    let (from, to, details) = (before.status(), after.status(), &after.details);
    let has_ended = to.is_final() && !from.is_final();
    let seconds = now.duration_since(details.placed_at).as_secs_f64();
    let is_business = details.customer.id.as_str() != SYNTHETIC_CUSTOMER_ID;
    let ended = (has_ended && is_business).then(|| to.name());
    let paid = ended.filter(|_| to == OrderStatus::Paid).map(|_| details.total);
    tracing::info!(
        target: TARGET,
        Orders = ended.map(|_| 1),
        outcome = ended,
        OrderSeconds = has_ended.then_some(seconds),
        Revenue = paid.map(|total| i64::from(total.amount)),
        currency = paid.map(|total| String::from(total.currency)),
        ?from,
        ?to,
        "status changed"
    );
}

/// Applies a fact to the stored order. An order that is not in the table belongs to another order service, and is
/// left alone.
pub fn apply(stored: Option<&Order>, fact: &Fact) -> Applied {
    stored.map_or(Applied::Unchanged, |order| order.apply(fact))
}
