//! How events get onto the bus.

use async_trait::async_trait;
use domain::{Event, Fact, Facts};

/// Publishes events: about orders, unless it says otherwise.
#[async_trait]
pub trait Publisher<F: Facts = Fact>: Send + Sync {
    /// Publishes all of `events`. When it answers well, the bus has every one; when it fails, it may have
    /// some, and publishing them again is safe, since an event keeps its id.
    async fn publish(&self, events: &[Event<F>]) -> anyhow::Result<()>;
}

/// The call of the bus that takes events.
#[async_trait]
pub trait PutEvents<F: Facts = Fact>: Send + Sync {
    /// Offers at most [`MAX_ENTRIES`] events in one call. It may take only some of them: gives back for each, in
    /// their order, why it was refused, or `None` where it was taken.
    async fn put(&self, events: &[&Event<F>]) -> anyhow::Result<Vec<Option<String>>>;
}

/// The most entries that one `PutEvents` takes
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>).
pub const MAX_ENTRIES: usize = 10;
/// How often entries that the bus refused are sent again before the caller has to come again.
const ATTEMPTS: usize = 3;

/// Publishes on a bus whose call may take some of the events and refuse others.
#[derive(Debug, Clone)]
pub struct BusPublisher<B>(
    /// The call.
    pub B,
);

#[async_trait]
impl<F: Facts, B: PutEvents<F>> Publisher<F> for BusPublisher<B> {
    /// `PutEvents` answers 200 also when it took only some of the entries: each one's own answer counts, and
    /// only those that failed are sent again.
    async fn publish(&self, events: &[Event<F>]) -> anyhow::Result<()> {
        for chunk in events.chunks(MAX_ENTRIES) {
            let mut left: Vec<&Event<F>> = chunk.iter().collect();
            let mut refused = String::new();
            for _ in 0..ATTEMPTS {
                let answers = self.0.put(&left).await?;
                anyhow::ensure!(
                    answers.len() == left.len(),
                    "PutEvents answered {} entries for {}",
                    answers.len(),
                    left.len()
                );
                let failed: Vec<(&Event<F>, String)> = left
                    .into_iter()
                    .zip(answers)
                    .filter_map(|(event, error)| Some((event, error?)))
                    .collect();
                refused = failed.iter().map(|(_, error)| error.as_str()).collect::<Vec<_>>().join(", ");
                left = failed.into_iter().map(|(event, _)| event).collect();
                if left.is_empty() {
                    break;
                }
                tracing::warn!(entries = left.len(), errors = refused, "the bus refused events");
            }
            anyhow::ensure!(left.is_empty(), "the bus refused {} events: {refused}", left.len());
        }
        Ok(())
    }
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
