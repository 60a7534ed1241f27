//! `expire-orders`: makes sure that no order hangs. It asks payments to void orders that have waited too long,
//! and publishes outbox rows that the stream missed.

use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use domain::payment::VoidReason;
use domain::{Event, OrderId};
use jiff::{SignedDuration, Timestamp};
use platform::host::schedule::Job;
use platform::{Clock, EventHandler};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::relay::RelayOutbox;
use crate::store::{Orders, Stored};

/// A row that is still in the outbox after so long was missed: the stream takes seconds.
const MISSED_AFTER: SignedDuration = SignedDuration::from_mins(2);

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
        // What fails is told in the end, so that it is noticed, and keeps nothing else from being done.
        let mut work = Work::default();
        self.publish_missed(now, &mut work).await;
        let expired = match input.order_id {
            Some(id) => self.expire_one(id, now - after, now, &mut work).await,
            None => self.expire_all(now - after, now, &mut work).await,
        };
        work.note(expired, "orders could not be looked through");
        anyhow::ensure!(work.failed == 0, "{} of it failed, see the log: {work:?}", work.failed);
        Ok(json!({ "expired": work.expired, "published": work.published }))
    }
}

/// What a run has done.
#[derive(Debug, Default)]
struct Work {
    expired: u32,
    published: u32,
    failed: u32,
}

impl Work {
    fn note(&mut self, result: anyhow::Result<()>, what: &str) {
        if let Err(error) = result {
            self.failed += 1;
            tracing::error!(error = %format!("{error:#}"), "{what}");
        }
    }
}

impl ExpireOrders {
    async fn publish_missed(&self, now: Timestamp, work: &mut Work) {
        let rows = match self.relay.outbox.left_before(now - MISSED_AFTER).await {
            Ok(rows) => rows,
            Err(error) => return work.note(Err(error), "the outbox could not be looked through"),
        };
        for row in rows {
            let outcome = match serde_json::from_str::<Event>(&row.event) {
                Ok(event) => EventHandler::handle(&self.relay, &event).await.map_err(anyhow::Error::from),
                Err(error) => Err(anyhow::anyhow!(platform::telemetry::without_values(&error.to_string()))),
            };
            work.published += u32::from(outcome.is_ok());
            work.note(outcome.map(drop), &format!("row {} stays in the outbox", row.event_id));
        }
    }

    async fn expire_one(
        &self,
        id: OrderId,
        before: Timestamp,
        now: Timestamp,
        work: &mut Work,
    ) -> anyhow::Result<()> {
        if let Some(stored) =
            self.orders.get(id).await?.filter(|stored| stored.order.details.placed_at <= before)
        {
            self.expire(&stored, now, work).await?;
        }
        Ok(())
    }

    async fn expire_all(&self, before: Timestamp, now: Timestamp, work: &mut Work) -> anyhow::Result<()> {
        let mut next = None;
        loop {
            let (page, more) = self.orders.open_before(before, next).await?;
            for stored in &page {
                let expired = self.expire(stored, now, work).await;
                work.note(expired, &format!("order {} could not be given up", stored.order.id));
            }
            next = more;
            if next.is_none() {
                return Ok(());
            }
        }
    }

    /// Asks for one order to be voided. An order that changed just now is left for the next time.
    async fn expire(&self, stored: &Stored, now: Timestamp, work: &mut Work) -> anyhow::Result<()> {
        let order = &stored.order;
        let wish = order.request_cancellation(VoidReason::Expired, now, order.cause.clone());
        let Some((cancelling, event)) = wish else { return Ok(()) };
        if self.orders.replace(stored, &cancelling, Some(&event)).await? {
            work.expired += 1;
            tracing::info!(order_id = %order.id, correlation_id = order.cause.correlation_id.as_str(), "order expired");
        }
        Ok(())
    }
}
