//! The handler traits. A handler does not know what invoked it.

use std::time::Duration;

use async_trait::async_trait;
use domain::{Event, EventPayload, Fact};
use jiff::Timestamp;
use serde_json::Value;

use crate::host::record::{Labels, parse_event};

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
        self.handle(&parse_event(event)?).await
    }
}

/// Why an event was not handled, which decides what happens to it next.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// May succeed later: the event is redelivered with increasing delays, and sent to the DLQ after the last
    /// attempt.
    #[error("{0:#}")]
    Retry(anyhow::Error),
    /// Another worker holds the lease: the event is redelivered when the lease has expired.
    #[error("leased by another worker until {until}")]
    Leased {
        /// When the lease expires.
        until: Timestamp,
    },
    /// Can never succeed: the event is sent to the DLQ at once and needs manual intervention.
    #[error("{0:#}")]
    Reject(anyhow::Error),
    /// Cannot be parsed: the event is sent to the DLQ at once. Either the sender is wrong, or this code is
    /// older than the format of the event.
    #[error("{0:#}")]
    Poison(anyhow::Error),
}

impl Failure {
    /// A failure that may not recur.
    pub fn retry(why: impl Into<anyhow::Error>) -> Self {
        Self::Retry(why.into())
    }

    /// A failure that always recurs.
    pub fn reject(why: impl std::fmt::Display) -> Self {
        Self::Reject(anyhow::anyhow!("{why}"))
    }

    /// A failure to parse the event.
    pub fn poison(why: impl std::fmt::Display) -> Self {
        Self::Poison(anyhow::anyhow!("{why}"))
    }

    /// The name in logs and dead-letter messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Retry(_) | Self::Leased { .. } => "retry",
            Self::Reject(_) => "reject",
            Self::Poison(_) => "poison",
        }
    }
}

/// A call that failed for a reason unknown to the handler may succeed later.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Retry(error)
    }
}
