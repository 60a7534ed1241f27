//! The ports in memory, for tests. Nothing that is deployed uses them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use jiff::SignedDuration;
use platform::memory::{InjectedFaults, lock};

use crate::report::Report;
use crate::store::{Depth, Queues, Reports};

/// The last report.
#[derive(Debug, Default)]
pub struct InMemoryReports {
    last: Mutex<Option<Report>>,
    /// Of every call.
    pub failures: InjectedFaults,
}

#[async_trait]
impl Reports for InMemoryReports {
    async fn last(&self) -> anyhow::Result<Option<Report>> {
        self.failures.check("reading the report")?;
        Ok(lock(&self.last).clone())
    }

    async fn keep(&self, report: &Report) -> anyhow::Result<()> {
        self.failures.check("keeping the report")?;
        let mut last = lock(&self.last);
        if last.as_ref().is_none_or(|last| last.checked_at < report.checked_at) {
            *last = Some(report.clone());
        }
        Ok(())
    }
}

/// Queues with what a test puts in.
#[derive(Debug, Default)]
pub struct InMemoryQueues {
    /// What is in each.
    pub depths: Mutex<BTreeMap<String, Depth>>,
    /// How old it is.
    pub ages: Mutex<BTreeMap<String, SignedDuration>>,
    /// Of every call.
    pub failures: InjectedFaults,
}

#[async_trait]
impl Queues for InMemoryQueues {
    async fn depths(&self) -> BTreeMap<String, anyhow::Result<Depth>> {
        let depths = lock(&self.depths).clone();
        let told = |depth| self.failures.check("looking at a queue").map(|()| depth);
        depths.into_iter().map(|(queue, depth)| (queue, told(depth))).collect()
    }

    async fn ages(&self) -> anyhow::Result<BTreeMap<String, SignedDuration>> {
        self.failures.check("asking for ages")?;
        Ok(lock(&self.ages).clone())
    }
}
