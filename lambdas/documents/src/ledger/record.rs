//! `record-sale`: what happens to orders → the ledger.

use std::sync::Arc;

use async_trait::async_trait;
use domain::Event;
use platform::{EventHandler, Failure};

use super::sale::Sale;
use super::store::Ledger;

/// How often a write is tried again that another event was faster with.
const MAX_ATTEMPTS: usize = 5;

/// Writes down what an event tells of an order.
pub struct RecordSale {
    /// Where.
    pub ledger: Arc<dyn Ledger>,
}

#[async_trait]
impl EventHandler for RecordSale {
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        let Some(update) = Sale::from_event(event) else {
            tracing::debug!("the ledger does not record this event");
            return Ok(Vec::new());
        };
        for _ in 0..MAX_ATTEMPTS {
            let read = self.ledger.get(update.order_id).await?;
            let sale = read.as_ref().map_or_else(|| update.clone(), |read| read.value.merge(&update));
            let is_unchanged = read.as_ref().is_some_and(|read| read.value == sale);
            if is_unchanged || self.ledger.write(read.as_ref(), &sale).await? {
                return Ok(Vec::new());
            }
        }
        Err(Failure::retry(anyhow::anyhow!(
            "the sale changed {MAX_ATTEMPTS} times while it was being written"
        )))
    }
}
