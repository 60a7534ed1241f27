//! The ports to the stores of the service.

use async_trait::async_trait;
use domain::order::Order;
use domain::{CustomerId, Event, EventId, OrderId};
use jiff::Timestamp;
use platform::optimistic::Versioned;
use serde::{Deserialize, Serialize};

use crate::quota::Quota;

/// An order as read from the store. Its version is 1 after the first write.
pub type Stored = Versioned<Order>;

/// The record of a request to place an order, stored under its idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyRecord {
    /// The hash of the caller and the `Idempotency-Key`.
    pub key: String,
    /// The hash of the request: the key must not be reused for a different one.
    pub fingerprint: String,
    /// The order that the request created.
    pub order_id: OrderId,
    /// The body of the response, which is returned again when the request is retried.
    #[serde(rename = "answer")]
    pub response_body: String,
    /// When the record expires, in seconds since the Unix epoch.
    pub expires_at: i64,
}

/// The result of a request to place an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// The order was created.
    Created,
    /// The key has been used before, for this request or another one: nothing was written.
    Replayed(IdempotencyRecord),
    /// The customer has placed as many orders as the quota allows, and the key is new: nothing was written.
    LimitReached,
}

/// A page of a customer's orders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The newest order first.
    pub orders: Vec<Order>,
    /// The last order of this page, if there are more pages.
    pub next: Option<OrderId>,
}

/// The store of orders.
#[async_trait]
pub trait Orders: Send + Sync {
    /// Writes the order, the outbox row of its event and the idempotency record in one transaction, which also
    /// counts the order towards `quota`, if there is one. A replay is not counted.
    async fn place(
        &self,
        order: &Order,
        event: &Event,
        record: &IdempotencyRecord,
        quota: Option<&Quota>,
        now: Timestamp,
    ) -> anyhow::Result<Placed>;

    /// Gets an order.
    async fn get(&self, id: OrderId) -> anyhow::Result<Option<Stored>>;

    /// Lists at most `limit` orders of a customer, the newest first, starting after the order `after`.
    async fn list(&self, customer: &CustomerId, after: Option<OrderId>, limit: u32) -> anyhow::Result<Page>;

    /// Replaces `read` by `order`, and writes the outbox row of `event`, if any, in the same transaction.
    /// Returns false and writes nothing if the order has changed since it was read.
    async fn replace(&self, read: &Stored, order: &Order, event: Option<&Event>) -> anyhow::Result<bool>;

    /// Lists a page of the orders that were placed before `before` and are not final. `next` is the cursor
    /// that the previous page returned.
    async fn list_open(
        &self,
        before: Timestamp,
        next: Option<OpenOrdersCursor>,
    ) -> anyhow::Result<(Vec<Stored>, Option<OpenOrdersCursor>)>;
}

/// The number of shards of the index of open orders: a partition of the index supports 1,000 writes a second.
pub const OPEN_SHARDS: u8 = 10;

/// The position at which a page of open orders starts. The orders of a shard are listed oldest first,
/// followed by those of the next shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenOrdersCursor {
    /// The shard, from 0 to [`OPEN_SHARDS`] - 1.
    pub shard: u8,
    /// The last order of the previous page; `None` at the start of a shard.
    pub after: Option<(OrderId, Timestamp)>,
}

/// An event in the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// The id of the event.
    pub event_id: EventId,
    /// The event as JSON text.
    pub event: String,
}

/// The outbox: events that have been written but not yet published.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Removes an event that has been published. Does nothing if it has been removed already.
    async fn remove(&self, event: EventId) -> anyhow::Result<()>;

    /// Lists events that were written before `before`, at most as many as one run can publish.
    async fn list_created_before(&self, before: Timestamp) -> anyhow::Result<Vec<OutboxRow>>;
}
