//! `expire-orders`: makes sure that no order stays open forever. It requests the cancellation of orders that
//! are not completed in time, and publishes outbox rows that the stream missed.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use domain::order::OrderStatus;
use domain::{Event, OrderId, VoidReason};
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use platform::Clock;
use platform::host::schedule::Job;
use platform::host::stream::OutboxHandler;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::relay::RelayOutbox;
use crate::store::{OPEN_SHARDS, OpenOrdersCursor, Orders, OutboxRow, Stored};

/// The age at which a row of the outbox counts as missed by the stream, which normally takes seconds.
const MISSED_AFTER: SignedDuration = SignedDuration::from_mins(2);

/// The number of outbox rows that are published concurrently.
const PUBLISH_CONCURRENCY: usize = 10;

/// Expires orders and publishes missed events.
pub struct ExpireOrders {
    /// The store of orders.
    pub orders: Arc<dyn Orders>,
    /// Publishes the missed events.
    pub relay: RelayOutbox,
    /// Supplies the time.
    pub clock: Arc<dyn Clock>,
    /// The age at which an order that is not final expires.
    pub expire_after: SignedDuration,
    /// The time limit of a run. The next run continues with the rest.
    pub time_limit: Duration,
}

/// The optional input, for invoking the function manually.
#[derive(Debug, Default, Deserialize)]
struct Input {
    /// Overrides the configured age, in seconds.
    older_than_seconds: Option<u32>,
    /// Expires only this order.
    order_id: Option<OrderId>,
}

#[async_trait]
impl Job for ExpireOrders {
    async fn run(&self, input: Value) -> anyhow::Result<Value> {
        // The schedule sends an object without these fields, or null.
        let input: Option<Input> = serde_json::from_value(input).context("the input is not valid")?;
        let input = input.unwrap_or_default();
        let now = self.clock.now();
        let after = input
            .older_than_seconds
            .map_or(self.expire_after, |seconds| SignedDuration::from_secs(seconds.into()));
        let run = Run {
            job: self,
            now,
            before: now - after,
            deadline: self.clock.elapsed().saturating_add(self.time_limit),
        };
        // A failure does not stop the rest of the run. It is reported at the end, so that the run fails.
        let mut progress = run.publish_missed().await;
        progress.add(match input.order_id {
            Some(id) => run.expire_one(id).await,
            // Within a shard, orders are expired one by one, oldest first, to limit the load on the tables.
            None => Progress::sum(join_all((0..OPEN_SHARDS).map(|shard| run.expire_shard(shard))).await),
        });
        if input.order_id.is_none() {
            progress.publish_metrics(now);
        }
        anyhow::ensure!(progress.failed == 0, "failures: {}; see the log: {progress:?}", progress.failed);
        Ok(json!({
            "expired": progress.expired,
            "published": progress.published,
            "complete": !progress.is_incomplete,
        }))
    }
}

/// The progress of a run.
#[derive(Debug, Default)]
struct Progress {
    open: u32,
    oldest: Option<Timestamp>,
    expired: u32,
    published: u32,
    failed: u32,
    /// Whether the run reached its time limit before it was complete.
    is_incomplete: bool,
}

impl Progress {
    /// Counts and logs a failure.
    fn record(&mut self, result: anyhow::Result<()>, message: &str) {
        if let Err(error) = result {
            self.failed += 1;
            tracing::error!(error = %format!("{error:#}"), "{message}");
        }
    }

    fn add(&mut self, other: Self) {
        self.open = self.open.saturating_add(other.open);
        self.oldest = [self.oldest, other.oldest].into_iter().flatten().min();
        self.expired = self.expired.saturating_add(other.expired);
        self.published = self.published.saturating_add(other.published);
        self.failed = self.failed.saturating_add(other.failed);
        self.is_incomplete |= other.is_incomplete;
    }

    fn sum(parts: Vec<Self>) -> Self {
        parts.into_iter().fold(Self::default(), |mut sum, part| {
            sum.add(part);
            sum
        })
    }

    /// Logs the open orders and what the run did. An incomplete run has not counted all open orders. Of the orders
    /// that are placed, it counts none: so there is a data point each minute, and a minute without orders differs
    /// from one without data.
    fn publish_metrics(&self, now: Timestamp) {
        let oldest = self.oldest.map_or(0, |oldest| now.duration_since(oldest).as_secs());
        tracing::info!(
            target: platform::metrics::TARGET,
            OldestOpenOrderSeconds = oldest,
            RepublishedEvents = Some(self.published).filter(|count| *count > 0),
            UnfinishedRuns = self.is_incomplete.then_some(1),
            Orders = 0,
            outcome = OrderStatus::Placed.name(),
            open = self.open,
            expired = self.expired,
            "open orders"
        );
    }
}

/// One run of the job.
struct Run<'a> {
    job: &'a ExpireOrders,
    now: Timestamp,
    before: Timestamp,
    deadline: Duration,
}

impl Run<'_> {
    fn is_past_deadline(&self) -> bool {
        self.job.clock.elapsed() >= self.deadline
    }

    async fn publish_missed(&self) -> Progress {
        let mut progress = Progress::default();
        let rows = match self.job.relay.outbox.list_created_before(self.now - MISSED_AFTER).await {
            Ok(rows) => rows,
            Err(error) => {
                progress.record(Err(error), "failed to list the outbox");
                return progress;
            }
        };
        for rows in rows.chunks(PUBLISH_CONCURRENCY) {
            if self.is_past_deadline() {
                progress.is_incomplete = true;
                break;
            }
            let published = join_all(rows.iter().map(|row| self.publish(row))).await;
            for (row, outcome) in rows.iter().zip(published) {
                progress.published += u32::from(outcome.is_ok());
                progress.record(outcome, &format!("failed to publish row {} of the outbox", row.event_id));
            }
        }
        progress
    }

    async fn publish(&self, row: &OutboxRow) -> anyhow::Result<()> {
        match serde_json::from_str::<Event>(&row.event) {
            Ok(event) => Ok(self.job.relay.relay(&event).await?),
            Err(error) => Err(anyhow::anyhow!(platform::redact_values(&error.to_string()))),
        }
    }

    async fn expire_one(&self, id: OrderId) -> Progress {
        let mut progress = Progress::default();
        match self.job.orders.get(id).await {
            Ok(Some(stored)) if stored.value.details.placed_at <= self.before => {
                self.expire(&stored, &mut progress).await;
            }
            Ok(_) => {}
            Err(error) => progress.record(Err(error), "failed to read the order"),
        }
        progress
    }

    /// Scans all open orders of a shard, because those that do not expire yet are counted too.
    async fn expire_shard(&self, shard: u8) -> Progress {
        let mut progress = Progress::default();
        let mut next = Some(OpenOrdersCursor { shard, after: None });
        while let Some(page) = next.filter(|page| page.shard == shard) {
            if self.is_past_deadline() {
                progress.is_incomplete = true;
                break;
            }
            let (page, following) = match self.job.orders.list_open(self.now, Some(page)).await {
                Ok(page) => page,
                Err(error) => {
                    progress.record(Err(error), "failed to list open orders");
                    break;
                }
            };
            for stored in &page {
                let placed_at = stored.value.details.placed_at;
                progress.open = progress.open.saturating_add(1);
                progress.oldest = Some(progress.oldest.map_or(placed_at, |oldest| oldest.min(placed_at)));
                if placed_at <= self.before {
                    self.expire(stored, &mut progress).await;
                }
            }
            next = following;
        }
        progress
    }

    /// Requests the cancellation of an order. If the order has just changed, it is left to the next run.
    async fn expire(&self, stored: &Stored, progress: &mut Progress) {
        let order = &stored.value;
        let cancelling = order.request_cancellation(VoidReason::Expired, self.now, order.cause.clone());
        let Some((cancelling, event)) = cancelling else { return };
        match self.job.orders.replace(stored, &cancelling, Some(&event)).await {
            Ok(true) => {
                progress.expired += 1;
                tracing::info!(order_id = %order.id, correlation_id = order.cause.correlation_id.as_str(), "order expired");
            }
            Ok(false) => {}
            Err(error) => progress.record(Err(error), &format!("failed to expire order {}", order.id)),
        }
    }
}
