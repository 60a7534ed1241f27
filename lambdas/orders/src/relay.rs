//! `relay-outbox`: publishes what a transaction wrote.

use std::sync::Arc;

use async_trait::async_trait;
use domain::Event;
use platform::{EventHandler, Failure, Publisher};

use crate::store::Outbox;

/// Puts events from the outbox onto the bus.
pub struct RelayOutbox {
    /// The bus.
    pub publisher: Arc<dyn Publisher>,
    /// The outbox.
    pub outbox: Arc<dyn Outbox>,
}

#[async_trait]
impl EventHandler for RelayOutbox {
    /// First publishes, then removes: a crash in between publishes it again, with the same id.
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        self.publisher.publish(std::slice::from_ref(event)).await?;
        self.outbox.remove(event.id).await?;
        Ok(Vec::new())
    }
}
