//! What the queue's and the stream's host share: reading a record, running a handler so that neither its panic
//! nor its slowness reaches the others, and putting away what cannot be handled.

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

/// Left of the function's time when a handler is stopped, to publish, to put off and to answer.
pub const DEADLINE_MARGIN: Duration = Duration::from_millis(1500);

/// A message that is put aside for a person, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The message as it came, to be sent again when what was wrong is right.
    pub body: String,
    /// What was wrong.
    pub error: String,
    /// `reject`, `poison` or `exhausted`: never will work, not understood, or tried too often.
    pub kind: &'static str,
    /// Who gave up.
    pub function: &'static str,
    /// On which attempt.
    pub attempt: u32,
    /// The request that it belongs to, where that could be read.
    pub correlation_id: Option<String>,
    /// When.
    pub failed_at: Timestamp,
}

/// Where dead letters go.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// Puts one away. When it answers well, the letter is safe.
    async fn send_to_dlq(&self, letter: &DeadLetter) -> anyhow::Result<()>;
}

/// What can be told of a message before it is understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    /// Its type.
    pub event_type: Option<String>,
    /// Its id.
    pub event_id: Option<String>,
    /// The order that it is about.
    pub order_id: Option<String>,
    /// The request that it belongs to.
    pub correlation_id: Option<String>,
}

impl Labels {
    /// Reads what it can of a CloudEvent.
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

    /// The span in which the message is handled: each of its log lines carries these fields.
    pub fn span(&self, attempt: u32, request_id: &str) -> tracing::Span {
        // At the highest level: a filter that keeps a warning has to keep what it is about.
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

/// Reads an event from its JSON.
///
/// # Errors
/// [`Failure::Poison`], with a reason that quotes no value of the event.
pub fn parse_event(event: Value) -> Result<Event, Failure> {
    serde_json::from_value(event).map_err(|error| {
        Failure::poison(format!("the event is not understood: {}", redact_values(&error.to_string())))
    })
}

/// Runs a handler to its end, its panic or the end of `time`, whichever comes first. The last two are
/// failures to be tried again.
///
/// # Errors
/// What the handler failed with.
pub async fn run_isolated<T>(
    clock: &dyn Clock,
    time: Duration,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match timeout(clock, time, AssertUnwindSafe(work).catch_unwind()).await {
        Some(Ok(result)) => result,
        Some(Err(panic)) => Err(Failure::Retry(panic_error(panic.as_ref()))),
        None => Err(Failure::Retry(anyhow::anyhow!("the handler was stopped after {} ms", time.as_millis()))),
    }
}

/// A panic as an error.
pub(super) fn panic_error(panic: &(dyn Any + Send)) -> anyhow::Error {
    anyhow::anyhow!("the handler panicked: {}", panic_message(panic))
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

/// What became of a record, for the log line that every record ends in.
#[derive(Debug)]
pub struct RecordOutcome<'a> {
    /// The types of the events that it led to.
    pub published: Vec<&'static str>,
    /// Why it was not handled, if it was not.
    pub failure: Option<&'a Failure>,
    /// When it comes again, if it does.
    pub retry_in: Option<Duration>,
    /// Whether it is a dead letter now.
    pub is_dead_letter: bool,
    /// How long it duration.
    pub duration: Duration,
}

impl RecordOutcome<'_> {
    /// Writes the line. Tools read these lines to tell an order's story: see `docs/RUNBOOK.md`.
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
