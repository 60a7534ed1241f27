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
        let published = self.publish_missed(now).await?;
        let expired = match input.order_id {
            Some(id) => match self.orders.get(id).await? {
                Some(stored) if stored.order.details.placed_at <= now - after => {
                    self.expire(&stored, now).await?
                }
                _ => 0,
            },
            None => self.expire_all(now - after, now).await?,
        };
        Ok(json!({ "expired": expired, "published": published }))
    }
}

impl ExpireOrders {
    async fn publish_missed(&self, now: Timestamp) -> anyhow::Result<u32> {
        let mut published = 0;
        for row in self.relay.outbox.left_before(now - MISSED_AFTER).await? {
            // One row that cannot be published must not keep the others from it.
            let outcome = match serde_json::from_str::<Event>(&row.event) {
                Ok(event) => {
                    EventHandler::handle(&self.relay, &event).await.map_err(|failure| failure.to_string())
                }
                Err(error) => Err(platform::telemetry::without_values(&error.to_string())),
            };
            match outcome {
                Ok(_) => published += 1,
                Err(error) => tracing::error!(event_id = %row.event_id, error, "a row stays in the outbox"),
            }
        }
        Ok(published)
    }

    async fn expire_all(&self, placed_before: Timestamp, now: Timestamp) -> anyhow::Result<u32> {
        let mut expired = 0;
        let mut next = None;
        loop {
            let (page, more) = self.orders.open_before(placed_before, next).await?;
            for stored in &page {
                expired += self.expire(stored, now).await?;
            }
            next = more;
            if next.is_none() {
                return Ok(expired);
            }
        }
    }

    /// Asks for one order to be voided: 1 if that was new. An order that changed just now is left for the next time.
    async fn expire(&self, stored: &Stored, now: Timestamp) -> anyhow::Result<u32> {
        let order = &stored.order;
        let Some((cancelling, event)) =
            order.request_cancellation(VoidReason::Expired, now, order.cause.clone())
        else {
            return Ok(0);
        };
        let written = self.orders.replace(stored, &cancelling, Some(&event)).await?;
        if written {
            tracing::info!(order_id = %order.id, correlation_id = order.cause.correlation_id.as_str(), "order expired");
        }
        Ok(u32::from(written))
    }
}
