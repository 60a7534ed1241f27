//! Wrong order stores, which violate the contracts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use contracts::differential;
use contracts::orders::{World, violations};
use domain::order::Order;
use domain::{CustomerId, Event, EventId, OrderId};
use jiff::Timestamp;
use orders::quota::Quota;
use orders::store::{IdempotencyRecord, OpenOrdersCursor, Orders, Outbox, OutboxRow, Page, Placed, Stored};
use uuid::Uuid;

use super::{SEQUENCES, assert_detected, assert_violations};
use crate::memory::{InMemoryOrders, orders_world};

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Overwrites any version.
    IgnoresVersions,
    /// Writes the order without its event.
    LosesEvents,
    /// Writes the event of a refused replacement.
    KeepsEventsOfRefusals,
    /// Forgets every idempotency key.
    ForgetsKeys,
    /// Never lets a key expire.
    KeepsKeys,
    /// Places any number of orders.
    IgnoresQuotas,
    /// Returns only the first page of open orders.
    LosesPages,
    /// Repeats the last order of a page on the next one.
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

    /// Writes a single event, by placing an extra order.
    async fn write_event(&self, event: &Event) -> anyhow::Result<()> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        let Some(stored) = self.store.get(event.subject).await? else { return Ok(()) };
        let id = OrderId::from(Uuid::from_u128(number.into()));
        let order = Order { id, ..stored.value };
        let record = IdempotencyRecord {
            key: format!("extra {number}"),
            fingerprint: String::new(),
            order_id: id,
            response_body: String::new(),
            expires_at: 0,
        };
        self.store.place(&order, event, &record, None, event.time).await.map(drop)
    }
}

#[async_trait]
impl Orders for Wrong {
    async fn place(
        &self,
        order: &Order,
        event: &Event,
        record: &IdempotencyRecord,
        quota: Option<&Quota>,
        now: Timestamp,
    ) -> anyhow::Result<Placed> {
        let mut record = record.clone();
        if self.has(Fault::ForgetsKeys) {
            record.key = format!("{} {}", record.key, self.calls.fetch_add(1, Ordering::SeqCst));
        }
        let now = if self.has(Fault::KeepsKeys) { Timestamp::UNIX_EPOCH } else { now };
        let quota = quota.filter(|_| !self.has(Fault::IgnoresQuotas));
        self.store.place(order, event, &record, quota, now).await
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
            // In the contracts, one customer has all orders.
            let all = self.store.list(&"cust-1".parse()?, None, 1000).await?.orders;
            let ended = all.into_iter().filter(|order| order.status().is_final());
            page.extend(ended.map(|order| Stored { value: order, version: 2 }));
            return Ok((page, next));
        }
        let (page, next) = self.store.list_open(before, next).await?;
        Ok((page, next.filter(|_| !self.has(Fault::LosesPages))))
    }
}

/// The next id.
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
async fn each_fault_violates_the_expected_contracts() {
    for (fault, expected) in [
        (
            Fault::IgnoresVersions,
            &[
                "an_order_is_replaced_only_at_the_version_that_was_read",
                "an_event_is_written_atomically_with_its_order",
                "concurrent_replacements_of_one_version_have_one_winner",
            ][..],
        ),
        (
            Fault::LosesEvents,
            &[
                "an_event_is_written_atomically_with_its_order",
                "concurrent_replacements_of_one_version_have_one_winner",
            ],
        ),
        (Fault::KeepsEventsOfRefusals, &["an_event_is_written_atomically_with_its_order"]),
        (
            Fault::ForgetsKeys,
            &[
                "reusing_a_key_returns_the_first_response_and_writes_nothing",
                "concurrent_requests_with_one_key_place_one_order",
                "an_expired_key_can_be_reused",
                "a_replay_does_not_count_towards_the_quota",
            ],
        ),
        (Fault::KeepsKeys, &["an_expired_key_can_be_reused"]),
        (
            Fault::IgnoresQuotas,
            &[
                "a_customer_places_at_most_as_many_orders_as_the_quota_allows",
                "a_replay_does_not_count_towards_the_quota",
                "concurrent_orders_do_not_exceed_the_quota",
            ],
        ),
        (
            Fault::LosesPages,
            &[
                "open_orders_are_not_final_and_placed_before_the_cutoff",
                "every_open_order_is_listed_exactly_once",
            ],
        ),
        (Fault::RepeatsOrders, &["a_customers_orders_are_listed_newest_first_and_exactly_once"]),
        (Fault::ListsFinalOrders, &["open_orders_are_not_final_and_placed_before_the_cutoff"]),
    ] {
        assert_violations(violations(async || Ok(world(fault))).await, expected);
    }
}

#[test]
fn random_calls_detect_a_wrong_store() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let check = |make: fn() -> World| {
        differential::check_equivalence(SEQUENCES, differential::orders::calls(), |calls| {
            runtime.block_on(differential::orders::compare(calls, [orders_world(), make()]))
        })
    };
    assert_detected(check(|| world(Fault::IgnoresVersions)), "Replace");
    assert_detected(check(|| world(Fault::ForgetsKeys)), "Place");
    assert_detected(check(|| world(Fault::IgnoresQuotas)), "Place");
    assert_detected(check(|| world(Fault::LosesEvents)), "Left");
    check(orders_world).unwrap();
}
