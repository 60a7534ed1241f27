//! Publishing events to the bus.

use std::borrow::Cow;

use async_trait::async_trait;
use domain::{Event, EventPayload, Fact};

use crate::trace::{self, SpanKind};

/// Publishes events; order events by default.
#[async_trait]
pub trait Publisher<F: EventPayload = Fact>: Send + Sync {
    /// Publishes all of `events`. On success, the bus has accepted every event. On failure, it may have
    /// accepted some of them; publishing them again is safe because an event keeps its id.
    async fn publish(&self, events: &[Event<F>]) -> anyhow::Result<()>;
}

/// The API call that puts events on the bus.
#[async_trait]
pub trait PutEvents<F: EventPayload = Fact>: Send + Sync {
    /// Sends at most [`MAX_ENTRIES`] events in one call, which may accept only some of them. Returns one item
    /// per event, in the same order: `None` if it was accepted, otherwise the reason why it was rejected.
    async fn put(&self, events: &[&Event<F>]) -> anyhow::Result<Vec<Option<String>>>;
}

/// The maximum number of entries of one `PutEvents` call
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>).
pub const MAX_ENTRIES: usize = 10;
/// The number of attempts to send an entry before `publish` fails and the caller has to retry.
const MAX_ATTEMPTS: usize = 3;

/// A publisher for a bus whose call may accept some events and reject others.
#[derive(Debug, Clone)]
pub struct BusPublisher<B>(
    /// The API call of the bus.
    pub B,
);

#[async_trait]
impl<F: EventPayload, B: PutEvents<F>> Publisher<F> for BusPublisher<B> {
    /// Checks the result of each entry, and sends only rejected entries again.
    async fn publish(&self, events: &[Event<F>]) -> anyhow::Result<()> {
        for chunk in events.chunks(MAX_ENTRIES) {
            self.publish_chunk(chunk).await?;
        }
        Ok(())
    }
}

impl<B> BusPublisher<B> {
    /// Publishes at most [`MAX_ENTRIES`] events, each with its own span, which what it causes has as its parent.
    async fn publish_chunk<F: EventPayload>(&self, events: &[Event<F>]) -> anyhow::Result<()>
    where
        B: PutEvents<F>,
    {
        let (spans, events): (Vec<trace::Span>, Vec<Cow<'_, Event<F>>>) =
            events.iter().map(published).unzip();
        let result = self.put_all(events.iter().map(AsRef::as_ref).collect()).await;
        if result.is_err() {
            spans.iter().for_each(|span| span.fail("retry"));
        }
        result
    }

    async fn put_all<F: EventPayload>(&self, mut remaining: Vec<&Event<F>>) -> anyhow::Result<()>
    where
        B: PutEvents<F>,
    {
        let mut rejected = String::new();
        for _ in 0..MAX_ATTEMPTS {
            let results = self.0.put(&remaining).await?;
            let failed = rejected_entries(remaining, results)?;
            rejected = failed.iter().map(|(_, error)| error.as_str()).collect::<Vec<_>>().join(", ");
            remaining = failed.into_iter().map(|(event, _)| event).collect();
            if remaining.is_empty() {
                return Ok(());
            }
            tracing::warn!(entries = remaining.len(), errors = rejected, "the bus rejected events");
        }
        anyhow::bail!("the bus rejected {} events: {rejected}", remaining.len())
    }
}

/// Starts the span of publishing an event, and returns the event with it as its cause. An event of another trace, as a
/// sweep publishes, is linked.
fn published<F: EventPayload>(event: &Event<F>) -> (trace::Span, Cow<'_, Event<F>>) {
    let span = trace::span(SpanKind::Producer, format!("publish {}", event.fact.name()))
        .linked_to_other(event.cause.traceparent.as_deref())
        .with("messaging.system", "aws.eventbridge")
        .with("messaging.operation.type", "send")
        .with("event.type", event.fact.name())
        .with("event.id", &event.id)
        .start();
    let traceparent = span.traceparent().filter(|here| event.cause.traceparent.as_ref() != Some(here));
    let Some(traceparent) = traceparent else { return (span, Cow::Borrowed(event)) };
    let mut event = event.clone();
    event.cause.traceparent = Some(traceparent);
    (span, Cow::Owned(event))
}

/// Returns the entries of a `PutEvents` call that the bus rejected, with the reasons. The call succeeds even if it
/// accepted only some of its entries.
///
/// # Errors
/// When there is not one result for each entry.
pub fn rejected_entries<E>(
    entries: Vec<E>,
    results: Vec<Option<String>>,
) -> anyhow::Result<Vec<(E, String)>> {
    anyhow::ensure!(
        results.len() == entries.len(),
        "PutEvents returned {} results for {} entries",
        results.len(),
        entries.len()
    );
    let with_results = entries.into_iter().zip(results);
    Ok(with_results.filter_map(|(entry, error)| Some((entry, error?))).collect())
}

/// The publisher of functions that publish nothing: it fails if a handler returns an event nevertheless.
#[derive(Debug, Clone, Copy)]
pub struct NoPublisher;

#[async_trait]
impl Publisher for NoPublisher {
    async fn publish(&self, events: &[Event]) -> anyhow::Result<()> {
        anyhow::ensure!(
            events.is_empty(),
            "this function has no event bus to publish to: configure a publisher for its host"
        );
        Ok(())
    }
}
