//! The ports to what the service keeps.

use async_trait::async_trait;
use domain::order::Order;
use domain::{CustomerId, Event, EventId, OrderId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An order as it was read, with the version that the next write stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The order.
    pub order: Order,
    /// Goes up by one with every write.
    pub version: u64,
}

/// A request to place an order, as remembered under its idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The key, hashed.
    pub key: String,
    /// What was asked for, hashed: the same key may not be used for anything else.
    pub fingerprint: String,
    /// The order that it led to.
    pub order_id: OrderId,
    /// The answer's body, to be given again.
    pub answer: String,
    /// When it may be forgotten, in seconds since 1970.
    pub expires_at: i64,
}

/// What became of a request to place an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// The order is placed.
    Now,
    /// There was one like it, or another one with the same key: nothing was written.
    Before(Placement),
}

/// A page of a customer's orders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The newest first.
    pub orders: Vec<Order>,
    /// Where the next page starts behind, if there is one.
    pub next: Option<OrderId>,
}

/// The orders.
#[async_trait]
pub trait Orders: Send + Sync {
    /// Writes the order, its event's outbox row and the request's idempotency key, all or none.
    async fn place(
        &self,
        order: &Order,
        event: &Event,
        placement: &Placement,
        now: Timestamp,
    ) -> anyhow::Result<Placed>;

    /// One order.
    async fn get(&self, id: OrderId) -> anyhow::Result<Option<Stored>>;

    /// A customer's orders, the newest first, behind the order `after`; at most `limit`.
    async fn list(&self, customer: &CustomerId, after: Option<OrderId>, limit: u32) -> anyhow::Result<Page>;

    /// Writes `order` in place of `read`, and the outbox row of `event` with it, if there is one. False, and
    /// nothing written, when the order is no longer as it was read.
    async fn replace(&self, read: &Stored, order: &Order, event: Option<&Event>) -> anyhow::Result<bool>;

    /// The orders placed before `before` that are not final yet, a page at a time: pass the last page's `next`.
    async fn open_before(
        &self,
        before: Timestamp,
        next: Option<OpenPage>,
    ) -> anyhow::Result<(Vec<Stored>, Option<OpenPage>)>;
}

/// Open orders are spread over so many shards: one partition of the index takes 1,000 writes a second.
pub const OPEN_SHARDS: u8 = 10;

/// Where a page of open orders goes on: the first of a shard, with nothing behind it, or what a page before gave. A
/// shard's orders come oldest first, and those of the next one behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenPage {
    /// 0 up to, but not, [`OPEN_SHARDS`].
    pub shard: u8,
    /// Behind which order.
    pub after: Option<(OrderId, Timestamp)>,
}

/// A row that waits in the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// The event's id.
    pub event_id: EventId,
    /// The event as JSON text.
    pub event: String,
}

/// Events that are written and not on the bus yet.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Removes what has been published. Nothing to remove is fine.
    async fn remove(&self, event: EventId) -> anyhow::Result<()>;

    /// Rows that were written before `before`; not more than can be published in one go.
    async fn left_before(&self, before: Timestamp) -> anyhow::Result<Vec<OutboxRow>>;
}
