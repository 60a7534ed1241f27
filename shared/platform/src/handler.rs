//! What a handler is. It does not know what called it.

use async_trait::async_trait;
use domain::Event;
use jiff::Timestamp;

/// Handles one event.
#[async_trait]
pub trait EventHandler: Send + Sync {
    /// Takes one event and gives back those that it causes. They are published before the event counts as
    /// handled; until then it comes again. So it has to be safe to handle the same event any number of times,
    /// also at the same time.
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure>;
}

/// Why an event was not handled, and so what becomes of it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It may work later: it comes again, each time after a longer wait, and is a dead letter in the end.
    #[error("{0:#}")]
    Retry(anyhow::Error),
    /// Somebody else is at it, and holds a lease: it comes again when that has ended.
    #[error("somebody else is at it until {until}")]
    Busy {
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
            Self::Retry(_) | Self::Busy { .. } => "retry",
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
