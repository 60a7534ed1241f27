//! The ports in memory, for tests and simulations. Nothing that is deployed uses them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use domain::order::Order;
use domain::{CustomerId, Event, EventId, OrderId};
use jiff::Timestamp;
use platform::memory::{InjectedFaults, lock};

use super::item::{shard_of, sortable};
use super::outbox::MOST_ROWS;
use crate::store::{OPEN_SHARDS, OpenPage, Orders, Outbox, OutboxRow, Page, Placed, Placement, Stored};

/// Orders, outbox and idempotency keys. Each call is one transaction.
#[derive(Debug, Default)]
pub struct InMemoryOrders {
    tables: Mutex<Tables>,
    /// Of every call.
    pub failures: InjectedFaults,
    /// Of `replace`, as when somebody else was faster.
    pub conflicts: InjectedFaults,
}

#[derive(Debug, Default)]
struct Tables {
    orders: BTreeMap<OrderId, Stored>,
    outbox: BTreeMap<EventId, Event>,
    placements: BTreeMap<String, Placement>,
}

impl InMemoryOrders {
    /// All orders.
    pub fn all(&self) -> BTreeMap<OrderId, Order> {
        let tables = lock(&self.tables);
        tables.orders.iter().map(|(id, stored)| (*id, stored.order.clone())).collect()
    }

    /// What waits to be published.
    pub fn waiting(&self) -> Vec<Event> {
        lock(&self.tables).outbox.values().cloned().collect()
    }
}

#[async_trait]
impl Orders for InMemoryOrders {
    async fn place(
        &self,
        order: &Order,
        event: &Event,
        placement: &Placement,
        now: Timestamp,
    ) -> anyhow::Result<Placed> {
        self.failures.check("placing")?;
        let mut tables = lock(&self.tables);
        if let Some(before) = tables.placements.get(&placement.key)
            && before.expires_at >= now.as_second()
        {
            return Ok(Placed::Before(before.clone()));
        }
        anyhow::ensure!(!tables.orders.contains_key(&order.id), "there is an order {} already", order.id);
        tables.placements.insert(placement.key.clone(), placement.clone());
        tables.orders.insert(order.id, Stored { order: order.clone(), version: 1 });
        tables.outbox.insert(event.id, event.clone());
        Ok(Placed::Now)
    }

    async fn get(&self, id: OrderId) -> anyhow::Result<Option<Stored>> {
        self.failures.check("reading")?;
        Ok(lock(&self.tables).orders.get(&id).cloned())
    }

    async fn list(&self, customer: &CustomerId, after: Option<OrderId>, limit: u32) -> anyhow::Result<Page> {
        self.failures.check("listing")?;
        let tables = lock(&self.tables);
        let mut behind = tables
            .orders
            .values()
            .rev()
            .map(|stored| &stored.order)
            .filter(|order| order.details.customer.id == *customer)
            .filter(|order| after.is_none_or(|after| order.id < after));
        let orders: Vec<Order> = behind.by_ref().take(usize::try_from(limit)?).cloned().collect();
        let next = orders.last().filter(|_| behind.next().is_some()).map(|order| order.id);
        Ok(Page { orders, next })
    }

    async fn replace(&self, read: &Stored, order: &Order, event: Option<&Event>) -> anyhow::Result<bool> {
        self.failures.check("writing")?;
        if self.conflicts.check("replacing").is_err() {
            return Ok(false);
        }
        let mut tables = lock(&self.tables);
        let Some(stored) = tables.orders.get_mut(&order.id).filter(|now| now.version == read.version) else {
            return Ok(false);
        };
        *stored = Stored { order: order.clone(), version: read.version.saturating_add(1) };
        if let Some(event) = event {
            tables.outbox.insert(event.id, event.clone());
        }
        Ok(true)
    }

    /// One order a page, so that whoever reads has to ask for all of them.
    async fn open_before(
        &self,
        before: Timestamp,
        next: Option<OpenPage>,
    ) -> anyhow::Result<(Vec<Stored>, Option<OpenPage>)> {
        self.failures.check("looking for open orders")?;
        let OpenPage { shard, after } = next.unwrap_or(OpenPage { shard: 0, after: None });
        let place = |stored: &Stored| (sortable(stored.order.details.placed_at), stored.order.id);
        let after = after.map(|(order, placed_at)| (sortable(placed_at), order));
        let before = sortable(before);
        let tables = lock(&self.tables);
        let mut open: Vec<&Stored> = tables
            .orders
            .values()
            .filter(|stored| !stored.order.status().is_final() && shard_of(stored.order.id) == shard)
            .filter(|stored| place(stored).0 < before)
            .filter(|stored| after.as_ref().is_none_or(|after| place(stored) > *after))
            .collect();
        open.sort_by_key(|stored| place(stored));
        let page: Vec<Stored> = open.first().map(|stored| (*stored).clone()).into_iter().collect();
        let next = match page.last() {
            Some(last) if open.len() > 1 => {
                Some(OpenPage { shard, after: Some((last.order.id, last.order.details.placed_at)) })
            }
            _ if shard + 1 < OPEN_SHARDS => Some(OpenPage { shard: shard + 1, after: None }),
            _ => None,
        };
        Ok((page, next))
    }
}

#[async_trait]
impl Outbox for InMemoryOrders {
    async fn remove(&self, event: EventId) -> anyhow::Result<()> {
        self.failures.check("removing")?;
        lock(&self.tables).outbox.remove(&event);
        Ok(())
    }

    async fn left_before(&self, before: Timestamp) -> anyhow::Result<Vec<OutboxRow>> {
        self.failures.check("reading the outbox")?;
        let tables = lock(&self.tables);
        let before = sortable(before);
        let left = tables.outbox.values().filter(|event| sortable(event.time) < before).take(MOST_ROWS);
        left.map(|event| Ok(OutboxRow { event_id: event.id, event: serde_json::to_string(event)? })).collect()
    }
}
