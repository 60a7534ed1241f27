//! `relay-outbox`: publishes the events in the outbox.

use std::sync::Arc;

use async_trait::async_trait;
use domain::Event;
use platform::host::stream::OutboxHandler;
use platform::{Failure, Publisher};

use crate::store::Outbox;

/// Publishes events and removes them from the outbox.
pub struct RelayOutbox {
    /// Publishes to the event bus.
    pub publisher: Arc<dyn Publisher>,
    /// The outbox that is emptied.
    pub outbox: Arc<dyn Outbox>,
}

#[async_trait]
impl OutboxHandler for RelayOutbox {
    /// Publishes the event before removing its row: after a crash in between, the event is published again
    /// with the same id.
    async fn relay(&self, event: &Event) -> Result<(), Failure> {
        self.publisher.publish(std::slice::from_ref(event)).await?;
        Ok(self.outbox.remove(event.id).await?)
    }
}
