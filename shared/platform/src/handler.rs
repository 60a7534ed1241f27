//! The handler traits, and the labels of what is handled. A handler does not know what invoked it.

use std::time::Duration;

use async_trait::async_trait;
use domain::{Event, EventPayload, Fact, OrderId};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tracing::field::Empty;

use crate::failure::Failure;
use crate::redact::redact_values;
use crate::trace::{self, Attribute, NewSpan};

/// Handles one event.
#[async_trait]
pub trait EventHandler: Send + Sync {
    /// Handles one event and returns the events it causes. They are published before the event counts as
    /// handled; until then it is redelivered. Handling the same event any number of times, also concurrently,
    /// must therefore be safe.
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure>;
}

/// Handles one message of a queue that does not carry events of the bus, such as an S3 notification or a
/// requested job. Every [`EventHandler`] is also a `MessageHandler` for messages that contain an event in
/// EventBridge's envelope
/// (<https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html>).
#[async_trait]
pub trait MessageHandler<F: EventPayload = Fact>: Send + Sync {
    /// The log fields of a message, which may be one that cannot be parsed.
    fn labels(&self, message: &Value) -> Labels;

    /// Handles one message, like [`EventHandler::handle`]. The call is cancelled after `time`: longer work
    /// has to save its progress and resume from that checkpoint when the message is redelivered.
    async fn handle_message(&self, message: Value, time: Duration) -> Result<Vec<Event<F>>, Failure>;
}

#[async_trait]
impl<H: EventHandler> MessageHandler for H {
    fn labels(&self, message: &Value) -> Labels {
        Labels::from_event(message.get("detail").unwrap_or(&Value::Null))
    }

    async fn handle_message(&self, mut message: Value, _: Duration) -> Result<Vec<Event>, Failure> {
        let event = message.get_mut("detail").map_or(Value::Null, Value::take);
        self.handle(&caused_here(parse_event(event)?)).await
    }
}

/// The fields that identify a message in logs, as far as they can be read without parsing all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    /// The type of the event.
    pub event_type: Option<String>,
    /// The id of the event.
    pub event_id: Option<String>,
    /// The order that is the subject of the event.
    pub order_id: Option<String>,
    /// The correlation id of the request that caused the event.
    pub correlation_id: Option<String>,
    /// The `traceparent` of the span in which the event was published.
    pub traceparent: Option<String>,
    /// When what the event reports became true.
    pub time: Option<Timestamp>,
}

/// A record that is handled longer after its event than this starts a trace of its own: it is a late replay, and a
/// viewer of traces no longer expects a span.
const MAX_TRACE_AGE: SignedDuration = SignedDuration::from_mins(15);

impl Labels {
    /// Reads the available fields of a CloudEvent, at most 128 characters of each.
    pub fn from_event(event: &Value) -> Self {
        let text =
            |name: &str| event.get(name).and_then(Value::as_str).map(|text| text.chars().take(128).collect());
        Self {
            event_type: text("type"),
            event_id: text("id"),
            order_id: text("subject"),
            correlation_id: text("correlationid"),
            traceparent: text("traceparent"),
            time: text("time").and_then(|time: String| time.parse().ok()),
        }
    }

    /// The time since the event happened, if that is known; zero if a clock is behind.
    pub fn age(&self, now: Timestamp) -> Option<Duration> {
        self.time.map(|time| Duration::try_from(now.duration_since(time)).unwrap_or_default())
    }

    /// The span in which the message is handled. Each of its log lines carries these fields.
    pub fn span(&self, attempt: u32, request_id: &str) -> tracing::Span {
        // At level `error`, so that a filter that keeps a warning also keeps the fields of its span.
        let span = tracing::error_span!(
            "record",
            attempt,
            request_id,
            event_type = Empty,
            event_id = Empty,
            order_id = Empty,
            correlation_id = Empty,
            trace_id = Empty,
            span_id = Empty
        );
        for (name, value) in [
            ("event_type", &self.event_type),
            ("event_id", &self.event_id),
            ("order_id", &self.order_id),
            ("correlation_id", &self.correlation_id),
        ] {
            if let Some(value) = value {
                span.record(name, value.as_str());
            }
        }
        span
    }

    /// Completes the span of the delivery number `attempt` at `now`. It is a child of the span that published the
    /// event; one that is replayed late or redriven starts a trace of its own, with a link.
    pub(crate) fn trace(&self, span: NewSpan, attempt: u32, is_redrive: bool, now: Timestamp) -> NewSpan {
        let is_late = self.time.is_some_and(|time| now.duration_since(time) > MAX_TRACE_AGE);
        let published_in = self.traceparent.as_deref();
        let span =
            if is_late || is_redrive { span.root_after(published_in) } else { span.child_of(published_in) };
        span.linked_to_current()
            .with("messaging.delivery.attempt", attempt)
            .with_some("event.type", self.event_type.as_deref().and_then(Attribute::name))
            .with_some("event.id", self.event_id.as_deref().and_then(Attribute::name))
            .with_some(
                "order.id",
                self.order_id.as_deref().and_then(|id| id.parse::<OrderId>().ok()).as_ref(),
            )
    }
}

/// An event whose consequences are caused by the current span.
pub(crate) fn caused_here<F: EventPayload>(mut event: Event<F>) -> Event<F> {
    if let Some(traceparent) = trace::traceparent() {
        event.cause.traceparent = Some(traceparent);
    }
    event
}

/// Parses an event from JSON.
///
/// # Errors
/// [`Failure::Poison`], with a reason that quotes no value of the event.
pub(crate) fn parse_event(event: Value) -> Result<Event, Failure> {
    serde_json::from_value(event).map_err(|error| {
        Failure::poison(format!("the event cannot be parsed: {}", redact_values(&error.to_string())))
    })
}
