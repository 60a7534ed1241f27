//! The bus.

use async_trait::async_trait;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use domain::Event;

use crate::publisher::Publisher;

/// The most entries that one `PutEvents` takes
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>).
const MOST_ENTRIES: usize = 10;
/// How often entries that the bus refused are sent again before the caller has to come again.
const ATTEMPTS: usize = 3;

/// Publishes on an EventBridge bus.
#[derive(Debug, Clone)]
pub struct EventBridge {
    client: Client,
    bus: String,
}

impl EventBridge {
    /// The bus of that name.
    pub fn new(client: Client, bus: String) -> Self {
        Self { client, bus }
    }

    fn entry(&self, event: &Event) -> anyhow::Result<PutEventsRequestEntry> {
        Ok(PutEventsRequestEntry::builder()
            .event_bus_name(&self.bus)
            .source(&event.source)
            .detail_type(event.fact.name())
            .detail(serde_json::to_string(event)?)
            .build())
    }
}

#[async_trait]
impl Publisher for EventBridge {
    /// `PutEvents` answers 200 also when it took only some of the entries: each one's own answer counts, and
    /// only those that failed are sent again.
    async fn publish(&self, events: &[Event]) -> anyhow::Result<()> {
        for chunk in events.chunks(MOST_ENTRIES) {
            let mut entries =
                chunk.iter().map(|event| self.entry(event)).collect::<anyhow::Result<Vec<_>>>()?;
            let mut refused = String::new();
            for _ in 0..ATTEMPTS {
                let answer =
                    self.client.put_events().set_entries(Some(entries.clone())).send().await.map_err(
                        |error| anyhow::Error::new(error.into_service_error()).context("PutEvents failed"),
                    )?;
                anyhow::ensure!(
                    answer.entries().len() == entries.len(),
                    "PutEvents answered {} entries for {}",
                    answer.entries().len(),
                    entries.len()
                );
                let failed = answer.entries().iter().map(|entry| entry.event_id().is_none());
                entries = entries
                    .into_iter()
                    .zip(failed)
                    .filter_map(|(entry, failed)| failed.then_some(entry))
                    .collect();
                if entries.is_empty() {
                    break;
                }
                refused = answer
                    .entries()
                    .iter()
                    .filter_map(|entry| entry.error_code())
                    .collect::<Vec<_>>()
                    .join(", ");
                tracing::warn!(entries = entries.len(), errors = refused, "the bus refused events");
            }
            anyhow::ensure!(entries.is_empty(), "the bus refused {} events: {refused}", entries.len());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
