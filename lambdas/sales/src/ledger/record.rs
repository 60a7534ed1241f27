//! `record-sale`: writes the events of orders to the sales ledger.

use std::sync::Arc;

use async_trait::async_trait;
use domain::Event;
use platform::optimistic::Attempts;
use platform::{Clock, EventHandler, Failure};

use super::sale::Sale;
use super::store::Ledger;

/// Merges each event into the sale of its order.
#[expect(missing_docs, reason = "the fields say it")]
pub struct RecordSale {
    pub ledger: Arc<dyn Ledger>,
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl EventHandler for RecordSale {
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        let Some(update) = Sale::from_event(event) else {
            tracing::debug!("the ledger does not record this event");
            return Ok(Vec::new());
        };
        let mut attempts = Attempts::at("the sale", self.clock.as_ref());
        loop {
            attempts.start().await?;
            let read = self.ledger.get(update.order_id).await?;
            let sale = read.as_ref().map_or_else(|| update.clone(), |read| read.value.merge(&update));
            let is_unchanged = read.as_ref().is_some_and(|read| read.value == sale);
            if is_unchanged || self.ledger.write(read.as_ref(), &sale).await? {
                return Ok(Vec::new());
            }
        }
    }
}
