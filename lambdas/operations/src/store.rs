//! The ports to the queues and to the stored results.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::report::Report;

/// The approximate number of messages in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Messages that can be received now, or after a delay.
    pub waiting: u64,
    /// Messages that have been received and are not visible.
    pub in_flight: u64,
}

/// Whether the queue with this logical id is a dead-letter queue.
pub fn is_dead_letter_queue(queue: &str) -> bool {
    queue.ends_with("DeadLetters")
}

/// The queues of the stack, including the dead-letter queues.
#[async_trait]
pub trait Queues: Send + Sync {
    /// Returns the depth of each queue by its logical id in the template.
    async fn depths(&self) -> BTreeMap<String, anyhow::Result<Depth>>;

    /// Returns the age of the oldest message of each queue for which it is known. Those of dead-letter queues may be
    /// left out.
    async fn oldest_message_ages(&self) -> anyhow::Result<BTreeMap<String, SignedDuration>>;
}

/// The latest report.
#[async_trait]
pub trait Reports: Send + Sync {
    /// Returns the latest report, if there is one.
    async fn last(&self) -> anyhow::Result<Option<Report>>;

    /// Returns since when the first report has been awaited: the time `now` of the first call.
    async fn awaited_since(&self, now: Timestamp) -> anyhow::Result<Timestamp>;

    /// Stores a report, unless a later one is stored.
    async fn save(&self, report: &Report) -> anyhow::Result<()>;
}
