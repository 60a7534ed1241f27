//! `record-sale`: what happens to orders → the ledger.

use std::sync::Arc;

use async_trait::async_trait;
use domain::Event;
use platform::{EventHandler, Failure};

use super::sale::Sale;
use super::store::Ledger;

/// How often a write is tried again that another event was faster with.
const TRIES: usize = 5;

/// Writes down what an event tells of an order.
pub struct RecordSale {
    /// Where.
    pub ledger: Arc<dyn Ledger>,
}

#[async_trait]
impl EventHandler for RecordSale {
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        let Some(told) = Sale::of(event) else {
            tracing::debug!("nothing that the ledger keeps");
            return Ok(Vec::new());
        };
        for _ in 0..TRIES {
            let read = self.ledger.get(told.order_id).await?;
            let sale = read.as_ref().map_or_else(|| told.clone(), |read| read.value.merge(&told));
            let is_known = read.as_ref().is_some_and(|read| read.value == sale);
            if is_known || self.ledger.write(read.as_ref(), &sale).await? {
                return Ok(Vec::new());
            }
        }
        Err(Failure::retry(anyhow::anyhow!("the sale changed {TRIES} times while it was being written")))
    }
}
