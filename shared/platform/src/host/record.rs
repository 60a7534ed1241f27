//! Code shared by the hosts of queues and streams: parsing a record, running a handler so that neither a
//! panic nor a timeout affects other records, and sending records that cannot be handled to the DLQ.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use async_trait::async_trait;
use domain::Event;
use futures::FutureExt;
use jiff::Timestamp;
use serde_json::Value;
use tracing::field::Empty;

use crate::clock::{Clock, timeout};
use crate::handler::Failure;
use crate::telemetry::redact_values;

/// The time between the cancellation of a handler and the function's deadline: it is needed to publish
/// events, extend visibility timeouts and respond.
pub const DEADLINE_MARGIN: Duration = Duration::from_millis(1500);

/// A message that needs manual intervention, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The original message, to be redriven once the cause is fixed.
    pub body: String,
    /// Why the message could not be handled.
    pub error: String,
    /// `reject`: can never succeed. `poison`: cannot be parsed. `exhausted`: failed on the last attempt.
    pub kind: &'static str,
    /// The function that failed to handle the message.
    pub function: &'static str,
    /// The attempt that failed, 1 for the first.
    pub attempt: u32,
    /// The correlation id of the message, if it could be read.
    pub correlation_id: Option<String>,
    /// When the last attempt failed.
    pub failed_at: Timestamp,
}

/// The destination of dead-letter messages.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// Sends a message to the DLQ. On success, the message is stored durably.
    async fn send_to_dlq(&self, dead_letter: &DeadLetter) -> anyhow::Result<()>;
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
}

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
        }
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
            correlation_id = Empty
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
}

/// Parses an event from JSON.
///
/// # Errors
/// [`Failure::Poison`], with a reason that quotes no value of the event.
pub fn parse_event(event: Value) -> Result<Event, Failure> {
    serde_json::from_value(event).map_err(|error| {
        Failure::poison(format!("the event cannot be parsed: {}", redact_values(&error.to_string())))
    })
}

/// Runs a handler for at most `time` and catches its panic.
///
/// # Errors
/// The failure of the handler, or [`Failure::Retry`] if it panicked or timed out.
pub async fn run_isolated<T>(
    clock: &dyn Clock,
    time: Duration,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match timeout(clock, time, AssertUnwindSafe(work).catch_unwind()).await {
        Some(Ok(result)) => result,
        Some(Err(panic)) => Err(Failure::Retry(panic_error(panic.as_ref()))),
        None => Err(Failure::Retry(anyhow::anyhow!("the handler timed out after {} ms", time.as_millis()))),
    }
}

/// Converts a panic to an error.
pub(super) fn panic_error(panic: &(dyn Any + Send)) -> anyhow::Error {
    anyhow::anyhow!("the handler panicked: {}", panic_message(panic))
}

/// The message of a panic.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

/// The outcome of a record, which is logged once per attempt.
#[derive(Debug)]
pub struct RecordOutcome<'a> {
    /// The types of the published events.
    pub published: Vec<&'static str>,
    /// Why the record was not handled; `None` on success.
    pub failure: Option<&'a Failure>,
    /// The delay until the record is redelivered, if it is known.
    pub retry_in: Option<Duration>,
    /// Whether the record was sent to the DLQ.
    pub is_dead_letter: bool,
    /// The duration of the attempt.
    pub duration: Duration,
}

impl RecordOutcome<'_> {
    /// Writes the log line. Tools reconstruct the history of an order from these lines: see
    /// `docs/RUNBOOK.md`.
    pub fn log(&self) {
        let duration_ms = u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX);
        let published = self.published.join(",");
        match self.failure {
            None => tracing::info!(outcome = "ok", published, duration_ms, "handled"),
            Some(failure) => tracing::warn!(
                outcome = failure.kind(),
                reason = %failure,
                again_in_ms = self.retry_in.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
                dead_letter = self.is_dead_letter,
                duration_ms,
                "handled"
            ),
        }
    }
}
