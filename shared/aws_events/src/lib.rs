//! The EventBridge event bus.

use async_trait::async_trait;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_types::SdkConfig;
use domain::{Event, EventPayload};

use platform::config;
use platform::publisher::{BusPublisher, PutEvents};

/// An EventBridge event bus.
#[derive(Debug, Clone)]
pub struct EventBridge {
    client: Client,
    bus: String,
}

impl EventBridge {
    /// The publisher for the event bus in `EVENT_BUS`.
    ///
    /// # Errors
    /// When the variable is not set.
    pub fn publisher(config: &SdkConfig) -> anyhow::Result<BusPublisher<Self>> {
        let client = Client::new(config);
        Ok(BusPublisher(Self::new(client, config::required("EVENT_BUS")?)))
    }

    /// The event bus named `bus`.
    pub fn new(client: Client, bus: String) -> Self {
        Self { client, bus }
    }

    fn entry<F: EventPayload>(&self, event: &Event<F>) -> anyhow::Result<PutEventsRequestEntry> {
        Ok(PutEventsRequestEntry::builder()
            .event_bus_name(&self.bus)
            .source(&event.source)
            .detail_type(event.fact.name())
            .detail(serde_json::to_string(event)?)
            .build())
    }
}

#[async_trait]
impl<F: EventPayload> PutEvents<F> for EventBridge {
    async fn put(&self, events: &[&Event<F>]) -> anyhow::Result<Vec<Option<String>>> {
        let entries = events.iter().map(|event| self.entry(event)).collect::<anyhow::Result<Vec<_>>>()?;
        let response =
            self.client.put_events().set_entries(Some(entries)).send().await.map_err(|error| {
                anyhow::Error::new(error.into_service_error()).context("PutEvents failed")
            })?;
        let rejection = |entry: &aws_sdk_eventbridge::types::PutEventsResultEntry| match entry.event_id() {
            Some(_) => None,
            None => Some(entry.error_code().unwrap_or("no error code").to_owned()),
        };
        Ok(response.entries().iter().map(rejection).collect())
    }
}

#[cfg(test)]
mod tests;
