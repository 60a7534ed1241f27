//! What a handler is. It does not know what called it.

use std::time::Duration;

use async_trait::async_trait;
use domain::{Event, Fact, Facts};
use jiff::Timestamp;
use serde_json::Value;

use crate::host::record::{Labels, parse_event};

/// Handles one event.
#[async_trait]
pub trait EventHandler: Send + Sync {
    /// Takes one event and gives back those that it causes. They are published before the event counts as
    /// handled; until then it comes again. So it has to be safe to handle the same event any number of times,
    /// also at the same time.
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure>;
}

/// Handles one message of a queue that brings no events of the bus: what AWS tells of a file, or a job that was asked
/// for. What handles events handles messages that bring one, as EventBridge wraps it
/// (<https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html>).
#[async_trait]
pub trait MessageHandler<F: Facts = Fact>: Send + Sync {
    /// What the log says of a message, whether it is understood or not.
    fn labels(&self, message: &Value) -> Labels;

    /// As [`EventHandler::handle`]. It is stopped after `time`, and what takes longer has to be gone on with where it
    /// was when the message comes again.
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

/// Why an event was not handled, and so what becomes of it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It may work later: it comes again, each time after a longer wait, and is a dead letter in the end.
    #[error("{0:#}")]
    Retry(anyhow::Error),
    /// Somebody else is at it, and holds a lease: it comes again when that has ended.
    #[error("somebody else is at it until {until}")]
    Leased {
        /// When the lease ends.
        until: Timestamp,
    },
    /// It never will work: it is a dead letter now. A person has to look.
    #[error("{0:#}")]
    Reject(anyhow::Error),
    /// It is not understood: it is a dead letter now. Somebody sent what they should not have, or this code is
    /// older than what it reads.
    #[error("{0:#}")]
    Poison(anyhow::Error),
}

impl Failure {
    /// It may work later.
    pub fn retry(why: impl Into<anyhow::Error>) -> Self {
        Self::Retry(why.into())
    }

    /// It never will work.
    pub fn reject(why: impl std::fmt::Display) -> Self {
        Self::Reject(anyhow::anyhow!("{why}"))
    }

    /// It is not understood.
    pub fn poison(why: impl std::fmt::Display) -> Self {
        Self::Poison(anyhow::anyhow!("{why}"))
    }

    /// Its name in logs and on dead letters.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Retry(_) | Self::Leased { .. } => "retry",
            Self::Reject(_) => "reject",
            Self::Poison(_) => "poison",
        }
    }
}

/// A call that failed for no reason that the handler knows may work later.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Retry(error)
    }
}
