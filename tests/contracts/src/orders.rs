//! `orders::store::Orders` and `orders::store::Outbox`: orders, their events and their idempotency keys.

mod listing;
mod quota;

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::order::{Order, Outcome, Settlement};
use domain::{Event, OrderId, VoidReason};
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use orders::store::{OpenOrdersCursor, Orders, Outbox, Placed, Stored};

use self::listing::{
    a_customers_orders_are_listed_newest_first_and_exactly_once, every_open_order_is_listed_exactly_once,
    open_orders_are_not_final_and_placed_before_the_cutoff, the_outbox_lists_a_limited_number_of_rows,
    the_outbox_lists_rows_older_than_the_cutoff,
};
use self::quota::{
    a_customer_places_at_most_as_many_orders_as_the_quota_allows, a_replay_does_not_count_towards_the_quota,
    concurrent_orders_do_not_exceed_the_quota,
};
use crate::check::{contract_suite, same};
use crate::sample::{cause, idempotency_record, order, order_id, time};

/// An empty store.
#[derive(Clone)]
pub struct World {
    /// The order store under test.
    pub orders: Arc<dyn Orders>,
    /// The outbox of the same store.
    pub outbox: Arc<dyn Outbox>,
}

contract_suite!(World:
    placing_writes_order_event_and_key_atomically,
    reusing_a_key_returns_the_first_response_and_writes_nothing,
    concurrent_requests_with_one_key_place_one_order,
    an_expired_key_can_be_reused,
    a_duplicate_order_id_is_an_error_and_writes_nothing,
    a_customer_places_at_most_as_many_orders_as_the_quota_allows,
    a_replay_does_not_count_towards_the_quota,
    concurrent_orders_do_not_exceed_the_quota,
    an_order_is_replaced_only_at_the_version_that_was_read,
    reads_return_what_was_written,
    an_event_is_written_atomically_with_its_order,
    concurrent_replacements_of_one_version_have_one_winner,
    open_orders_are_not_final_and_placed_before_the_cutoff,
    every_open_order_is_listed_exactly_once,
    a_customers_orders_are_listed_newest_first_and_exactly_once,
    the_outbox_lists_rows_older_than_the_cutoff,
    the_outbox_lists_a_limited_number_of_rows,
);

const FAR: SignedDuration = SignedDuration::from_hours(24 * 365);

impl World {
    /// Places an order with a unique idempotency key.
    async fn place_order(&self, number: u32, by: u32, at: Timestamp) -> anyhow::Result<(Stored, Event)> {
        let (order, event) = order(number, by, at)?;
        let key = idempotency_record(&format!("key-{number}"), order.id, 60);
        let placed = self.orders.place(&order, &event, &key, None, time(0)?).await?;
        same("a new order with a new key", placed, Placed::Created)?;
        Ok((Stored { value: order, version: 1 }, event))
    }

    /// The ids of all events in the outbox.
    async fn outbox_event_ids(&self) -> anyhow::Result<BTreeSet<String>> {
        let rows = self.outbox.list_created_before(time(0)? + FAR).await?;
        Ok(rows.into_iter().map(|row| row.event_id.to_string()).collect())
    }

    /// The ids of all open orders placed before a time, from all pages, sorted.
    async fn list_open_orders(&self, before: Timestamp) -> anyhow::Result<Vec<OrderId>> {
        let mut found = Vec::new();
        let mut next: Option<OpenOrdersCursor> = None;
        // Fails if the pages never end.
        for _ in 0..1000 {
            let (page, more) = self.orders.list_open(before, next).await?;
            found.extend(page.into_iter().map(|stored| stored.value.id));
            next = more;
            if next.is_none() {
                found.sort_unstable();
                return Ok(found);
            }
        }
        anyhow::bail!("listing open orders does not end")
    }
}

fn ids(events: &[&Event]) -> BTreeSet<String> {
    events.iter().map(|event| event.id.to_string()).collect()
}

/// The order after a cancellation request, and its event.
fn cancelled(stored: &Stored) -> anyhow::Result<(Order, Event)> {
    let asked = stored.value.request_cancellation(VoidReason::CustomerRequest, time(5)?, cause()?);
    asked.ok_or_else(|| anyhow::anyhow!("the sample order cannot be cancelled"))
}

async fn placing_writes_order_event_and_key_atomically(world: &World) -> anyhow::Result<()> {
    let (stored, event) = world.place_order(1, 1, time(0)?).await?;
    same("the order", world.orders.get(stored.value.id).await?, Some(stored.clone()))?;
    same("another", world.orders.get(order_id(2)).await?, None)?;
    same("the outbox", world.outbox_event_ids().await?, ids(&[&event]))?;
    let rows = world.outbox.list_created_before(time(0)? + FAR).await?;
    let read: Vec<Event> =
        rows.iter().map(|row| serde_json::from_str(&row.event)).collect::<Result<_, _>>()?;
    same("the row's event", read, vec![event])
}

async fn reusing_a_key_returns_the_first_response_and_writes_nothing(world: &World) -> anyhow::Result<()> {
    let (stored, event) = world.place_order(1, 1, time(0)?).await?;
    let first = idempotency_record("key-1", stored.value.id, 60);
    // The same request again, and another request with the same key, which has another fingerprint.
    let (other, other_event) = order(2, 1, time(0)?)?;
    for (order, event) in [(&stored.value, &event), (&other, &other_event)] {
        let again = idempotency_record("key-1", order.id, 90);
        let placed = world.orders.place(order, event, &again, None, time(1)?).await?;
        same("the same key again", placed, Placed::Replayed(first.clone()))?;
    }
    same("the other order", world.orders.get(other.id).await?, None)?;
    same("the first order", world.orders.get(stored.value.id).await?, Some(stored))?;
    same("the outbox", world.outbox_event_ids().await?, ids(&[&event]))
}

async fn concurrent_requests_with_one_key_place_one_order(world: &World) -> anyhow::Result<()> {
    let requests = (1..=20).map(async |number| {
        let (order, event) = order(number, 1, time(0)?)?;
        world.orders.place(&order, &event, &idempotency_record("key", order.id, 60), None, time(0)?).await
    });
    let answers = join_all(requests).await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let now = answers.iter().filter(|placed| **placed == Placed::Created).count();
    same("placed now, of 20", now, 1)?;
    let replayed: BTreeSet<String> = answers
        .iter()
        .filter_map(|placed| match placed {
            Placed::Replayed(before) => Some(before.order_id.to_string()),
            Placed::Created | Placed::LimitReached => None,
        })
        .collect();
    same("orders that the others got", replayed.len(), 1)?;
    same("rows in the outbox", world.outbox_event_ids().await?.len(), 1)?;
    let mut there = BTreeSet::new();
    for number in 1..=20 {
        there.extend(world.orders.get(order_id(number)).await?.map(|stored| stored.value.id.to_string()));
    }
    same("the existing order", there, replayed)
}

async fn an_expired_key_can_be_reused(world: &World) -> anyhow::Result<()> {
    let (first, first_event) = order(1, 1, time(0)?)?;
    let key = idempotency_record("key", first.id, 10);
    same("new", world.orders.place(&first, &first_event, &key, None, time(0)?).await?, Placed::Created)?;
    let (second, second_event) = order(2, 1, time(0)?)?;
    let again = idempotency_record("key", second.id, 100);
    let last = world.orders.place(&second, &second_event, &again, None, time(10_999_999)?).await?;
    same("in its last second", last, Placed::Replayed(key))?;
    let after = world.orders.place(&second, &second_event, &again, None, time(11_000_000)?).await?;
    same("after it", after, Placed::Created)?;
    let (third, third_event) = order(3, 1, time(0)?)?;
    let key = idempotency_record("key", third.id, 100);
    let before = world.orders.place(&third, &third_event, &key, None, time(12_000_000)?).await?;
    same("the key now belongs to the second order", before, Placed::Replayed(again))?;
    same("the outbox", world.outbox_event_ids().await?, ids(&[&first_event, &second_event]))
}

async fn a_duplicate_order_id_is_an_error_and_writes_nothing(world: &World) -> anyhow::Result<()> {
    let (stored, event) = world.place_order(1, 1, time(0)?).await?;
    let (cancelling, _) = cancelled(&stored)?;
    same("replaced", world.orders.replace(&stored, &cancelling, None).await?, true)?;
    world.outbox.remove(event.id).await?;
    let (same_id, event) = order(1, 2, time(0)?)?;
    let key = idempotency_record("another key", same_id.id, 60);
    let placed = world.orders.place(&same_id, &event, &key, None, time(0)?).await;
    anyhow::ensure!(placed.is_err(), "overwrote an order: {placed:?}");
    let now = world.orders.get(same_id.id).await?;
    same("the first order", now, Some(Stored { value: cancelling, version: 2 }))?;
    same("the outbox", world.outbox_event_ids().await?, BTreeSet::new())?;
    let (other, event) = order(2, 1, time(0)?)?;
    let key = idempotency_record("another key", other.id, 60);
    let placed = world.orders.place(&other, &event, &key, None, time(0)?).await?;
    same("its key is still free", placed, Placed::Created)
}

async fn an_order_is_replaced_only_at_the_version_that_was_read(world: &World) -> anyhow::Result<()> {
    let (first, _) = world.place_order(1, 1, time(0)?).await?;
    let reserved = Order { reserved: true, ..first.value.clone() };
    same("the first write", world.orders.replace(&first, &reserved, None).await?, true)?;
    let second = Stored { value: reserved, version: 2 };
    same("version 2", world.orders.get(second.value.id).await?, Some(second.clone()))?;
    let paid = Order { outcome: Some(Outcome::Paid), ..first.value.clone() };
    same("a write on an old version", world.orders.replace(&first, &paid, None).await?, false)?;
    // Also if the write would change nothing.
    same("the same write again", world.orders.replace(&first, &second.value, None).await?, false)?;
    let future = Stored { version: 3, ..second.clone() };
    same("a future version", world.orders.replace(&future, &paid, None).await?, false)?;
    same("still version 2", world.orders.get(second.value.id).await?, Some(second))?;
    let (missing, event) = order(2, 1, time(0)?)?;
    let read = Stored { value: missing.clone(), version: 1 };
    same("a missing order", world.orders.replace(&read, &missing, Some(&event)).await?, false)?;
    same("still missing", world.orders.get(missing.id).await?, None)
}

async fn reads_return_what_was_written(world: &World) -> anyhow::Result<()> {
    let nanoseconds = Timestamp::from_nanosecond(1_795_428_930_123_456_789)?;
    let (mut stored, _) = world.place_order(1, 1, nanoseconds).await?;
    let full = Order {
        reserved: true,
        cancellation: Some(VoidReason::CustomerRequest),
        cancellation_requested_at: Some(nanoseconds),
        outcome: Some(Outcome::Voided(VoidReason::Expired)),
        settlement: Some(Settlement::Released),
        ..stored.value.clone()
    };
    for outcome in [Outcome::Paid, Outcome::Rejected, Outcome::PaymentFailed] {
        let order = Order { outcome: Some(outcome), ..full.clone() };
        same("written", world.orders.replace(&stored, &order, None).await?, true)?;
        stored = Stored { value: order, version: stored.version + 1 };
        same("read", world.orders.get(full.id).await?, Some(stored.clone()))?;
    }
    same("written", world.orders.replace(&stored, &full, None).await?, true)?;
    let now = world.orders.get(full.id).await?.map(|stored| stored.value);
    same("read", now, Some(full))
}

async fn an_event_is_written_atomically_with_its_order(world: &World) -> anyhow::Result<()> {
    let (first, created) = world.place_order(1, 1, time(0)?).await?;
    let (order, request_event) = cancelled(&first)?;
    same("the write", world.orders.replace(&first, &order, Some(&request_event)).await?, true)?;
    same("the outbox", world.outbox_event_ids().await?, ids(&[&created, &request_event]))?;
    world.outbox.remove(request_event.id).await?;
    // Removing is idempotent.
    world.outbox.remove(request_event.id).await?;
    same("after it was published", world.outbox_event_ids().await?, ids(&[&created]))?;
    same("a late write", world.orders.replace(&first, &order, Some(&request_event)).await?, false)?;
    same("writes no event", world.outbox_event_ids().await?, ids(&[&created]))?;
    same("writes no order", world.orders.get(order.id).await?, Some(Stored { value: order, version: 2 }))
}

async fn concurrent_replacements_of_one_version_have_one_winner(world: &World) -> anyhow::Result<()> {
    let (first, created) = world.place_order(1, 1, time(0)?).await?;
    let writers = (0..20).map(async |number| {
        let (order, request_event) = cancelled(&first)?;
        // Half of the writers write an event too.
        world.orders.replace(&first, &order, (number % 2 == 0).then_some(&request_event)).await
    });
    let answers = join_all(writers).await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let won: Vec<usize> =
        answers.iter().enumerate().filter_map(|(index, won)| won.then_some(index)).collect();
    let [winner] = won[..] else { anyhow::bail!("of 20 writers these won: {won:?}") };
    let (_, request_event) = cancelled(&first)?;
    let expected = if winner % 2 == 0 { ids(&[&created, &request_event]) } else { ids(&[&created]) };
    same("the outbox", world.outbox_event_ids().await?, expected)?;
    let version = world.orders.get(first.value.id).await?.map(|stored| stored.version);
    same("the version", version, Some(2))
}
