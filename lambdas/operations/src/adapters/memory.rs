//! In-memory implementations of the ports, for tests.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use platform::lock;
use platform::memory::InjectedFaults;

use crate::report::Report;
use crate::store::{Depth, Queues, Reports};

/// A store of the latest report.
#[derive(Debug, Default)]
pub struct InMemoryReports {
    last: Mutex<Option<Report>>,
    awaited_since: Mutex<Option<Timestamp>>,
    /// Faults of any call.
    pub failures: InjectedFaults,
}

impl InMemoryReports {
    /// Creates a store whose latest report is `report`.
    pub fn with(report: Report) -> Self {
        Self { last: Mutex::new(Some(report)), ..Self::default() }
    }

    /// Forgets the latest report, so that any other one is saved.
    pub fn forget(&self) {
        *lock(&self.last) = None;
    }
}

#[async_trait]
impl Reports for InMemoryReports {
    async fn last(&self) -> anyhow::Result<Option<Report>> {
        self.failures.check("reading the report")?;
        Ok(lock(&self.last).clone())
    }

    async fn awaited_since(&self, now: Timestamp) -> anyhow::Result<Timestamp> {
        self.failures.check("recording the wait for the first report")?;
        Ok(*lock(&self.awaited_since).get_or_insert(now))
    }

    async fn save(&self, report: &Report) -> anyhow::Result<()> {
        self.failures.check("saving the report")?;
        let mut last = lock(&self.last);
        if last.as_ref().is_none_or(|last| last.checked_at < report.checked_at) {
            *last = Some(report.clone());
        }
        Ok(())
    }
}

/// Queues whose measurements a test sets.
#[derive(Debug, Default)]
pub struct InMemoryQueues {
    /// The depth of each queue.
    pub depths: Mutex<BTreeMap<String, Depth>>,
    /// The age of the oldest message of each queue.
    pub ages: Mutex<BTreeMap<String, SignedDuration>>,
    /// Faults of any call.
    pub failures: InjectedFaults,
}

#[async_trait]
impl Queues for InMemoryQueues {
    async fn depths(&self) -> BTreeMap<String, anyhow::Result<Depth>> {
        let depths = lock(&self.depths).clone();
        let checked = |depth| self.failures.check("reading the depth of a queue").map(|()| depth);
        depths.into_iter().map(|(queue, depth)| (queue, checked(depth))).collect()
    }

    async fn oldest_message_ages(&self) -> anyhow::Result<BTreeMap<String, SignedDuration>> {
        self.failures.check("reading the age of messages")?;
        Ok(lock(&self.ages).clone())
    }
}
