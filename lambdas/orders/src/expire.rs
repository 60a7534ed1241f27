//! `expire-orders`: makes sure that no order hangs. It asks payments to void orders that have waited too long,
//! and publishes outbox rows that the stream missed.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use domain::payment::VoidReason;
use domain::{Event, OrderId};
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use platform::host::schedule::Job;
use platform::{Clock, EventHandler};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::relay::RelayOutbox;
use crate::store::{OPEN_SHARDS, OpenPage, Orders, OutboxRow, Stored};

/// A row that is still in the outbox after so long was missed: the stream takes seconds.
const MISSED_AFTER: SignedDuration = SignedDuration::from_mins(2);

/// How many rows of the outbox are published at the same time.
const ROWS_AT_ONCE: usize = 10;

/// Looks for what is late.
pub struct ExpireOrders {
    /// The orders.
    pub orders: Arc<dyn Orders>,
    /// Publishes what is left.
    pub relay: RelayOutbox,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// How long an order may take.
    pub expire_after: SignedDuration,
    /// How long a run may take: what is left then is for the next one.
    pub time: Duration,
}

/// What a person who calls the function by hand may ask for.
#[derive(Debug, Default, Deserialize)]
struct Input {
    /// Instead of the configured time, in seconds.
    older_than_seconds: Option<u32>,
    /// Only this order.
    order_id: Option<OrderId>,
}

#[async_trait]
impl Job for ExpireOrders {
    async fn run(&self, input: Value) -> anyhow::Result<Value> {
        // The schedule sends an object of its own, or nothing.
        let input: Option<Input> = serde_json::from_value(input).context("the input is not understood")?;
        let input = input.unwrap_or_default();
        let now = self.clock.now();
        let after = input
            .older_than_seconds
            .map_or(self.expire_after, |seconds| SignedDuration::from_secs(seconds.into()));
        let run = Run {
            job: self,
            now,
            before: now - after,
            until: self.clock.elapsed().saturating_add(self.time),
        };
        // What fails is told in the end, so that it is noticed, and keeps nothing else from being done.
        let mut work = run.publish_missed().await;
        work.add(match input.order_id {
            Some(id) => run.expire_one(id).await,
            // A shard's orders come one after the other, so that the tables are not flooded, and the oldest first.
            None => Work::sum(join_all((0..OPEN_SHARDS).map(|shard| run.expire_shard(shard))).await),
        });
        if input.order_id.is_none() {
            work.publish_metrics(now);
        }
        anyhow::ensure!(work.failed == 0, "{} of it failed, see the log: {work:?}", work.failed);
        Ok(json!({ "expired": work.expired, "published": work.published, "complete": !work.late }))
    }
}

/// What a run has done.
#[derive(Debug, Default)]
struct Work {
    open: u32,
    oldest: Option<Timestamp>,
    expired: u32,
    published: u32,
    failed: u32,
    /// Its time was up before all was done.
    late: bool,
}

impl Work {
    fn note(&mut self, result: anyhow::Result<()>, what: &str) {
        if let Err(error) = result {
            self.failed += 1;
            tracing::error!(error = %format!("{error:#}"), "{what}");
        }
    }

    fn add(&mut self, other: Self) {
        self.open = self.open.saturating_add(other.open);
        self.oldest = [self.oldest, other.oldest].into_iter().flatten().min();
        self.expired = self.expired.saturating_add(other.expired);
        self.published = self.published.saturating_add(other.published);
        self.failed = self.failed.saturating_add(other.failed);
        self.late |= other.late;
    }

    fn sum(parts: Vec<Self>) -> Self {
        parts.into_iter().fold(Self::default(), |mut sum, part| {
            sum.add(part);
            sum
        })
    }

    /// How many orders are open, how old the oldest is, and what was done. Where the time was up, there are more.
    fn publish_metrics(&self, now: Timestamp) {
        let oldest = self.oldest.map_or(0, |oldest| now.duration_since(oldest).as_secs());
        tracing::info!(
            target: platform::metrics::TARGET,
            OpenOrders = self.open,
            OldestOpenOrderSeconds = oldest,
            ExpiredOrders = self.expired,
            RepublishedEvents = self.published,
            UnfinishedRuns = u32::from(self.late),
            "orders that wait"
        );
    }
}

/// One run of the job.
struct Run<'a> {
    job: &'a ExpireOrders,
    now: Timestamp,
    before: Timestamp,
    until: Duration,
}

impl Run<'_> {
    fn is_late(&self) -> bool {
        self.job.clock.elapsed() >= self.until
    }

    async fn publish_missed(&self) -> Work {
        let mut work = Work::default();
        let rows = match self.job.relay.outbox.left_before(self.now - MISSED_AFTER).await {
            Ok(rows) => rows,
            Err(error) => {
                work.note(Err(error), "the outbox could not be looked through");
                return work;
            }
        };
        for rows in rows.chunks(ROWS_AT_ONCE) {
            if self.is_late() {
                work.late = true;
                break;
            }
            let published = join_all(rows.iter().map(|row| self.publish(row))).await;
            for (row, outcome) in rows.iter().zip(published) {
                work.published += u32::from(outcome.is_ok());
                work.note(outcome, &format!("row {} stays in the outbox", row.event_id));
            }
        }
        work
    }

    async fn publish(&self, row: &OutboxRow) -> anyhow::Result<()> {
        match serde_json::from_str::<Event>(&row.event) {
            Ok(event) => Ok(EventHandler::handle(&self.job.relay, &event).await.map(drop)?),
            Err(error) => Err(anyhow::anyhow!(platform::telemetry::redact_values(&error.to_string()))),
        }
    }

    async fn expire_one(&self, id: OrderId) -> Work {
        let mut work = Work::default();
        match self.job.orders.get(id).await {
            Ok(Some(stored)) if stored.order.details.placed_at <= self.before => {
                self.expire(&stored, &mut work).await;
            }
            Ok(_) => {}
            Err(error) => work.note(Err(error), "the order could not be read"),
        }
        work
    }

    /// Looks through all open orders of a shard, since the young ones are counted too.
    async fn expire_shard(&self, shard: u8) -> Work {
        let mut work = Work::default();
        let mut next = Some(OpenPage { shard, after: None });
        while let Some(page) = next.filter(|page| page.shard == shard) {
            if self.is_late() {
                work.late = true;
                break;
            }
            let (page, more) = match self.job.orders.open_before(self.now, Some(page)).await {
                Ok(page) => page,
                Err(error) => {
                    work.note(Err(error), "orders could not be looked through");
                    break;
                }
            };
            for stored in &page {
                let placed_at = stored.order.details.placed_at;
                work.open = work.open.saturating_add(1);
                work.oldest = Some(work.oldest.map_or(placed_at, |oldest| oldest.min(placed_at)));
                if placed_at < self.before {
                    self.expire(stored, &mut work).await;
                }
            }
            next = more;
        }
        work
    }

    /// Asks for one order to be voided. An order that changed just now is left for the next time.
    async fn expire(&self, stored: &Stored, work: &mut Work) {
        let order = &stored.order;
        let wish = order.request_cancellation(VoidReason::Expired, self.now, order.cause.clone());
        let Some((cancelling, event)) = wish else { return };
        match self.job.orders.replace(stored, &cancelling, Some(&event)).await {
            Ok(true) => {
                work.expired += 1;
                tracing::info!(order_id = %order.id, correlation_id = order.cause.correlation_id.as_str(), "order expired");
            }
            Ok(false) => {}
            Err(error) => work.note(Err(error), &format!("order {} could not be given up", order.id)),
        }
    }
}
