//! Wrong stores of orders.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use contracts::differential;
use contracts::orders::{World, broken};
use domain::order::Order;
use domain::{CustomerId, Event, EventId, OrderId};
use jiff::Timestamp;
use orders::store::{IdempotencyRecord, OpenOrdersCursor, Orders, Outbox, OutboxRow, Page, Placed, Stored};
use uuid::Uuid;

use super::{breaks, told_apart};
use crate::memory::{InMemoryOrders, orders_world};

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Writes over whatever is there.
    IgnoresVersions,
    /// Writes the order without its event.
    LosesEvents,
    /// Writes the event of a replacement that was refused.
    KeepsEventsOfRefusals,
    /// Remembers no idempotency key.
    ForgetsKeys,
    /// Remembers a key for ever.
    KeepsKeys,
    /// Gives the first page of open orders alone.
    LosesPages,
    /// Starts a page with the order that the last one ended in.
    RepeatsOrders,
    /// Lists final orders as open.
    ListsFinalOrders,
}

struct Wrong {
    fault: Fault,
    store: InMemoryOrders,
    calls: AtomicU32,
}

fn world(fault: Fault) -> World {
    let wrong = Arc::new(Wrong { fault, store: InMemoryOrders::default(), calls: AtomicU32::new(0) });
    World { orders: wrong.clone(), outbox: wrong }
}

impl Wrong {
    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    /// Writes an event on its own, by way of an order that nobody asked for.
    async fn write_event(&self, event: &Event) -> anyhow::Result<()> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        let Some(stored) = self.store.get(event.subject).await? else { return Ok(()) };
        let id = OrderId::from(Uuid::from_u128(number.into()));
        let order = Order { id, ..stored.order };
        let placement = IdempotencyRecord {
            key: format!("nobody's {number}"),
            fingerprint: String::new(),
            order_id: id,
            response_body: String::new(),
            expires_at: 0,
        };
        self.store.place(&order, event, &placement, event.time).await.map(drop)
    }
}

#[async_trait]
impl Orders for Wrong {
    async fn place(
        &self,
        order: &Order,
        event: &Event,
        placement: &IdempotencyRecord,
        now: Timestamp,
    ) -> anyhow::Result<Placed> {
        let mut placement = placement.clone();
        if self.has(Fault::ForgetsKeys) {
            placement.key = format!("{} {}", placement.key, self.calls.fetch_add(1, Ordering::SeqCst));
        }
        let now = if self.has(Fault::KeepsKeys) { Timestamp::UNIX_EPOCH } else { now };
        self.store.place(order, event, &placement, now).await
    }

    async fn get(&self, id: OrderId) -> anyhow::Result<Option<Stored>> {
        self.store.get(id).await
    }

    async fn list(&self, customer: &CustomerId, after: Option<OrderId>, limit: u32) -> anyhow::Result<Page> {
        let after = after.map(|after| if self.has(Fault::RepeatsOrders) { next_id(after) } else { after });
        self.store.list(customer, after, limit).await
    }

    async fn replace(&self, read: &Stored, order: &Order, event: Option<&Event>) -> anyhow::Result<bool> {
        let mut read = read.clone();
        if self.has(Fault::IgnoresVersions)
            && let Some(stored) = self.store.get(order.id).await?
        {
            read = stored;
        }
        let event = event.filter(|_| !self.has(Fault::LosesEvents));
        let written = self.store.replace(&read, order, event).await?;
        if let Some(event) = event.filter(|_| !written && self.has(Fault::KeepsEventsOfRefusals)) {
            self.write_event(event).await?;
        }
        Ok(written)
    }

    async fn list_open(
        &self,
        before: Timestamp,
        next: Option<OpenOrdersCursor>,
    ) -> anyhow::Result<(Vec<Stored>, Option<OpenOrdersCursor>)> {
        if self.has(Fault::ListsFinalOrders) && next.is_none() {
            let (mut page, next) = self.store.list_open(before, None).await?;
            // One customer of the contracts has them all.
            let all = self.store.list(&"cust-1".parse()?, None, 1000).await?.orders;
            let ended = all.into_iter().filter(|order| order.status().is_final());
            page.extend(ended.map(|order| Stored { order, version: 2 }));
            return Ok((page, next));
        }
        let (page, next) = self.store.list_open(before, next).await?;
        Ok((page, next.filter(|_| !self.has(Fault::LosesPages))))
    }
}

/// The id behind this one.
fn next_id(id: OrderId) -> OrderId {
    let id: Uuid = id.to_string().parse().unwrap();
    OrderId::from(Uuid::from_u128(id.as_u128() + 1))
}

#[async_trait]
impl Outbox for Wrong {
    async fn remove(&self, event: EventId) -> anyhow::Result<()> {
        self.store.remove(event).await
    }

    async fn list_created_before(&self, before: Timestamp) -> anyhow::Result<Vec<OutboxRow>> {
        self.store.list_created_before(before).await
    }
}

#[tokio::test]
async fn each_fault_breaks_what_it_should() {
    for (fault, expected) in [
        (
            Fault::IgnoresVersions,
            &[
                "an_order_is_replaced_only_as_it_was_read",
                "an_event_is_written_with_its_order_or_not_at_all",
                "of_many_that_replace_one_version_one_wins",
            ][..],
        ),
        (
            Fault::LosesEvents,
            &[
                "an_event_is_written_with_its_order_or_not_at_all",
                "of_many_that_replace_one_version_one_wins",
            ],
        ),
        (Fault::KeepsEventsOfRefusals, &["an_event_is_written_with_its_order_or_not_at_all"]),
        (
            Fault::ForgetsKeys,
            &[
                "the_same_key_gets_the_first_answer_and_writes_nothing",
                "of_many_with_one_key_one_is_placed",
                "a_key_may_be_used_again_when_it_has_expired",
            ],
        ),
        (Fault::KeepsKeys, &["a_key_may_be_used_again_when_it_has_expired"]),
        (
            Fault::LosesPages,
            &["open_orders_are_those_placed_before_and_not_final", "open_orders_come_once_each_however_many"],
        ),
        (Fault::RepeatsOrders, &["a_customers_orders_come_the_newest_first_and_once_each"]),
        (Fault::ListsFinalOrders, &["open_orders_are_those_placed_before_and_not_final"]),
    ] {
        breaks(broken(async || Ok(world(fault))).await, expected);
    }
}

#[test]
fn random_calls_tell_a_wrong_store_from_a_right_one() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let judge = |make: fn() -> World| {
        differential::agree(60, differential::orders::calls(), |calls| {
            runtime.block_on(differential::orders::compare(calls, [orders_world(), make()]))
        })
    };
    told_apart(judge(|| world(Fault::IgnoresVersions)), "Replace");
    told_apart(judge(|| world(Fault::ForgetsKeys)), "Place");
    told_apart(judge(|| world(Fault::LosesEvents)), "Left");
    judge(orders_world).unwrap();
}
