//! The ports to what the service looks at, and what it keeps.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::SignedDuration;

use crate::report::Report;

/// What is in a queue, about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Messages that wait, also those that are put off.
    pub waiting: u64,
    /// Messages that somebody is at.
    pub in_flight: u64,
}

/// The queues of the stack, with those of their dead letters.
#[async_trait]
pub trait Queues: Send + Sync {
    /// What is in each. Names are those in the template.
    async fn depths(&self) -> BTreeMap<String, anyhow::Result<Depth>>;

    /// How long the oldest message of each has waited, of those of which it is known.
    async fn ages(&self) -> anyhow::Result<BTreeMap<String, SignedDuration>>;
}

/// What was found last.
#[async_trait]
pub trait Reports: Send + Sync {
    /// The last report, if there is one.
    async fn last(&self) -> anyhow::Result<Option<Report>>;

    /// Keeps a report, unless a later one is kept.
    async fn keep(&self, report: &Report) -> anyhow::Result<()>;
}
