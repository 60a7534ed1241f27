//! Why a handler failed.

use std::any::Any;

use jiff::Timestamp;

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

/// The message of a panic.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}
