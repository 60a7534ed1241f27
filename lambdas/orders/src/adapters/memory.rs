//! In-memory implementations of the ports, for tests and simulations.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use domain::order::Order;
use domain::{CustomerId, Event, EventId, OrderId};
use jiff::Timestamp;
use platform::lock;
use platform::memory::InjectedFaults;

use super::item::{shard_of, sortable};
use super::outbox::MAX_ROWS;
use crate::quota::Quota;
use crate::store::{
    IdempotencyRecord, OPEN_SHARDS, OpenOrdersCursor, Orders, Outbox, OutboxRow, Page, Placed, Stored,
};

/// Orders, outbox and idempotency records. Each call is one transaction.
#[derive(Debug, Default)]
pub struct InMemoryOrders {
    tables: Mutex<Tables>,
    /// Faults of all calls.
    pub failures: InjectedFaults,
    /// Write conflicts of `replace`, as if the order had been changed concurrently.
    pub conflicts: InjectedFaults,
    /// Faults of `list_open` on a page of a shard that is not its first.
    pub next_page_failures: InjectedFaults,
}

#[derive(Debug, Default)]
struct Tables {
    orders: BTreeMap<OrderId, Stored>,
    outbox: BTreeMap<EventId, Event>,
    idempotency: BTreeMap<String, IdempotencyRecord>,
    /// The number of orders by customer and start of the window.
    counts: BTreeMap<(CustomerId, i64), u32>,
}

impl InMemoryOrders {
    /// Returns all orders by id.
    pub fn all(&self) -> BTreeMap<OrderId, Order> {
        let tables = lock(&self.tables);
        tables.orders.iter().map(|(id, stored)| (*id, stored.value.clone())).collect()
    }

    /// All idempotency records.
    pub fn idempotency_records(&self) -> Vec<IdempotencyRecord> {
        lock(&self.tables).idempotency.values().cloned().collect()
    }

    /// The events that have not been published yet.
    pub fn pending_events(&self) -> Vec<Event> {
        lock(&self.tables).outbox.values().cloned().collect()
    }
}

fn ensure_is_new(tables: &Tables, order: &Order) -> anyhow::Result<()> {
    anyhow::ensure!(!tables.orders.contains_key(&order.id), "order {} already exists", order.id);
    Ok(())
}

#[async_trait]
impl Orders for InMemoryOrders {
    async fn place(
        &self,
        order: &Order,
        event: &Event,
        record: &IdempotencyRecord,
        quota: Option<&Quota>,
        now: Timestamp,
    ) -> anyhow::Result<Placed> {
        self.failures.check("placing an order")?;
        let mut tables = lock(&self.tables);
        if let Some(existing) = tables.idempotency.get(&record.key)
            && existing.expires_at >= now.as_second()
        {
            return Ok(Placed::Replayed(existing.clone()));
        }
        if let Some(Quota { customer, window, max_orders, .. }) = quota {
            let counter = (customer.clone(), *window);
            let count = tables.counts.get(&counter).copied().unwrap_or_default();
            if count >= *max_orders {
                return Ok(Placed::LimitReached);
            }
            ensure_is_new(&tables, order)?;
            tables.counts.insert(counter, count.saturating_add(1));
        }
        ensure_is_new(&tables, order)?;
        tables.idempotency.insert(record.key.clone(), record.clone());
        tables.orders.insert(order.id, Stored { value: order.clone(), version: 1 });
        tables.outbox.insert(event.id, event.clone());
        Ok(Placed::Created)
    }

    async fn get(&self, id: OrderId) -> anyhow::Result<Option<Stored>> {
        self.failures.check("reading an order")?;
        Ok(lock(&self.tables).orders.get(&id).cloned())
    }

    async fn list(&self, customer: &CustomerId, after: Option<OrderId>, limit: u32) -> anyhow::Result<Page> {
        self.failures.check("listing orders")?;
        let tables = lock(&self.tables);
        let mut remaining = tables
            .orders
            .values()
            .rev()
            .map(|stored| &stored.value)
            .filter(|order| order.details.customer.id == *customer)
            .filter(|order| after.is_none_or(|after| order.id < after));
        let orders: Vec<Order> = remaining.by_ref().take(usize::try_from(limit)?).cloned().collect();
        let next = orders.last().filter(|_| remaining.next().is_some()).map(|order| order.id);
        Ok(Page { orders, next })
    }

    async fn replace(&self, read: &Stored, order: &Order, event: Option<&Event>) -> anyhow::Result<bool> {
        self.failures.check("writing an order")?;
        if self.conflicts.check("replacing").is_err() {
            return Ok(false);
        }
        let mut tables = lock(&self.tables);
        let Some(stored) = tables.orders.get_mut(&order.id).filter(|now| now.version == read.version) else {
            return Ok(false);
        };
        *stored = Stored { value: order.clone(), version: read.version.saturating_add(1) };
        if let Some(event) = event {
            tables.outbox.insert(event.id, event.clone());
        }
        Ok(true)
    }

    /// Returns one order per page, so that tests exercise the paging.
    async fn list_open(
        &self,
        before: Timestamp,
        next: Option<OpenOrdersCursor>,
    ) -> anyhow::Result<(Vec<Stored>, Option<OpenOrdersCursor>)> {
        self.failures.check("listing open orders")?;
        let OpenOrdersCursor { shard, after } = next.unwrap_or(OpenOrdersCursor { shard: 0, after: None });
        if after.is_some() {
            self.next_page_failures.check("listing a further page of open orders")?;
        }
        let position = |stored: &Stored| (sortable(stored.value.details.placed_at), stored.value.id);
        let after = after.map(|(order, placed_at)| (sortable(placed_at), order));
        let before = sortable(before);
        let tables = lock(&self.tables);
        let mut open: Vec<&Stored> = tables
            .orders
            .values()
            .filter(|stored| !stored.value.status().is_final() && shard_of(stored.value.id) == shard)
            .filter(|stored| position(stored).0 < before)
            .filter(|stored| after.as_ref().is_none_or(|after| position(stored) > *after))
            .collect();
        open.sort_by_key(|stored| position(stored));
        let page: Vec<Stored> = open.first().map(|stored| (*stored).clone()).into_iter().collect();
        let next = match page.last() {
            Some(last) if open.len() > 1 => {
                Some(OpenOrdersCursor { shard, after: Some((last.value.id, last.value.details.placed_at)) })
            }
            _ if shard + 1 < OPEN_SHARDS => Some(OpenOrdersCursor { shard: shard + 1, after: None }),
            _ => None,
        };
        Ok((page, next))
    }
}

#[async_trait]
impl Outbox for InMemoryOrders {
    async fn remove(&self, event: EventId) -> anyhow::Result<()> {
        self.failures.check("removing from the outbox")?;
        lock(&self.tables).outbox.remove(&event);
        Ok(())
    }

    async fn list_created_before(&self, before: Timestamp) -> anyhow::Result<Vec<OutboxRow>> {
        self.failures.check("reading the outbox")?;
        let tables = lock(&self.tables);
        let before = sortable(before);
        let events = tables.outbox.values().filter(|event| sortable(event.time) < before).take(MAX_ROWS);
        events
            .map(|event| Ok(OutboxRow { event_id: event.id, event: serde_json::to_string(event)? }))
            .collect()
    }
}
