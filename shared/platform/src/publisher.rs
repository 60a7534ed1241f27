//! How events get onto the bus.

use async_trait::async_trait;
use domain::Event;

/// Publishes events.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Publishes all of `events`. When it answers well, the bus has every one; when it fails, it may have
    /// some, and publishing them again is safe, since an event keeps its id.
    async fn publish(&self, events: &[Event]) -> anyhow::Result<()>;
}

/// For functions that publish nothing: a handler that gives back an event after all fails loudly.
#[derive(Debug, Clone, Copy)]
pub struct NoPublisher;

#[async_trait]
impl Publisher for NoPublisher {
    async fn publish(&self, events: &[Event]) -> anyhow::Result<()> {
        anyhow::ensure!(
            events.is_empty(),
            "this function has no bus to publish on: give its host a publisher"
        );
        Ok(())
    }
}
