//! The lists of open orders, of a customer's orders, and of the outbox.

use std::collections::BTreeSet;

use domain::order::{Order, Outcome};
use domain::{Event, OrderId};
use futures::future::join_all;
use jiff::SignedDuration;

use super::{FAR, World, cancelled, ids};
use crate::check::same;
use crate::sample::{customer, order, order_id, time};

pub(super) async fn open_orders_are_not_final_and_placed_before_the_cutoff(
    world: &World,
) -> anyhow::Result<()> {
    let mut stored = Vec::new();
    for number in 1..=4 {
        stored.push(world.place_order(number, 1, time(i64::from(number))?).await?.0);
    }
    same("before the third", world.list_open_orders(time(3)?).await?, vec![order_id(1), order_id(2)])?;
    same("before all", world.list_open_orders(time(1)?).await?, Vec::new())?;
    let all = time(0)? + FAR;
    let (cancelling, _) = cancelled(&stored[0])?;
    same("cancelling", world.orders.replace(&stored[0], &cancelling, None).await?, true)?;
    let paid = Order { outcome: Some(Outcome::Paid), ..stored[1].value.clone() };
    same("paid", world.orders.replace(&stored[1], &paid, None).await?, true)?;
    same(
        "a final one is not open",
        world.list_open_orders(all).await?,
        vec![order_id(1), order_id(3), order_id(4)],
    )?;
    // The index has a resolution of microseconds.
    let after = |nanoseconds| Ok::<_, anyhow::Error>(time(50)? + SignedDuration::from_nanos(nanoseconds));
    world.place_order(5, 1, after(200)?).await?;
    same("within one microsecond", world.list_open_orders(after(900)?).await?.contains(&order_id(5)), false)?;
    same("the next one", world.list_open_orders(after(1000)?).await?.contains(&order_id(5)), true)
}

pub(super) async fn every_open_order_is_listed_exactly_once(world: &World) -> anyhow::Result<()> {
    // Ids with the same suffix share a partition of the index, whose pages have 100 entries; many have the
    // same time.
    let numbers = (1..=115).map(|number| number << 4).chain(2001..=2020);
    let place = |number: u32| async move {
        world.place_order(number, 1, time(i64::from(number % 7))?).await.map(|(stored, _)| stored.value.id)
    };
    let mut placed = Vec::new();
    for chunk in numbers.collect::<Vec<_>>().chunks(10) {
        placed.extend(join_all(chunk.iter().map(|number| place(*number))).await);
    }
    let placed: Vec<OrderId> = placed.into_iter().collect::<anyhow::Result<_>>()?;
    same("all of them", world.list_open_orders(time(0)? + FAR).await?, placed)
}

pub(super) async fn a_customers_orders_are_listed_newest_first_and_exactly_once(
    world: &World,
) -> anyhow::Result<()> {
    let mut mine = Vec::new();
    for number in 1..=7 {
        world.place_order(number * 2, 1, time(0)?).await?;
        world.place_order(number * 2 + 1, 2, time(0)?).await?;
        mine.insert(0, order_id(number * 2));
    }
    for limit in [1, 2, 3, 7, 8] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = world.orders.list(&customer(1)?, after, limit).await?;
            anyhow::ensure!(page.orders.len() <= usize::try_from(limit)?, "more than {limit} on a page");
            anyhow::ensure!(!page.orders.is_empty(), "an empty page follows a page of {limit}");
            found.extend(page.orders.iter().map(|order| order.id));
            anyhow::ensure!(found.len() <= mine.len(), "orders are repeated: {found:?}");
            after = page.next;
            if after.is_none() {
                break;
            }
            same("the next page starts after the last order", after, found.last().copied())?;
        }
        same(&format!("in pages of {limit}"), found, mine.clone())?;
    }
    // The cursor is a position; its order need not exist.
    let after_other = world.orders.list(&customer(1)?, Some(order_id(9)), 2).await?;
    let found: Vec<OrderId> = after_other.orders.iter().map(|order| order.id).collect();
    same("after an order of another customer", found, vec![order_id(8), order_id(6)])?;
    let oldest = world.orders.list(&customer(1)?, Some(order_id(2)), 2).await?;
    same("after the oldest", (oldest.orders.len(), oldest.next), (0, None))?;
    let unknown = world.orders.list(&customer(3)?, None, 2).await?;
    same("of an unknown customer", (unknown.orders.len(), unknown.next), (0, None))
}

pub(super) async fn the_outbox_lists_rows_older_than_the_cutoff(world: &World) -> anyhow::Result<()> {
    world.outbox.remove(order(1, 1, time(0)?)?.1.id).await?;
    let mut events = Vec::new();
    for number in 1..=3 {
        events.push(world.place_order(number, 1, time(i64::from(number))?).await?.1);
    }
    for (before, left) in [(1, 0), (2, 1), (3, 2), (4, 3)] {
        let rows = world.outbox.list_created_before(time(before)?).await?;
        let found: BTreeSet<String> = rows.iter().map(|row| row.event_id.to_string()).collect();
        let expected: Vec<&Event> = events.iter().take(left).collect();
        same(&format!("before {before} µs"), found, ids(&expected))?;
    }
    world.outbox.remove(events[1].id).await?;
    same("after one was removed", world.outbox_event_ids().await?, ids(&[&events[0], &events[2]]))?;
    let within = time(3)? + SignedDuration::from_nanos(900);
    let late = world.place_order(4, 1, time(3)? + SignedDuration::from_nanos(200)).await?.1;
    let rows = world.outbox.list_created_before(within).await?;
    same("within one microsecond", rows.iter().any(|row| row.event_id == late.id), false)
}

pub(super) async fn the_outbox_lists_a_limited_number_of_rows(world: &World) -> anyhow::Result<()> {
    let numbers: Vec<u32> = (1..=510).collect();
    for chunk in numbers.chunks(10) {
        let at = time(0)?;
        let placed = join_all(chunk.iter().map(|number| world.place_order(*number, 1, at))).await;
        placed.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    }
    let mut found = BTreeSet::new();
    for left in [500, 10, 0] {
        let rows = world.outbox.list_created_before(time(0)? + FAR).await?;
        same("rows per listing", rows.len(), left)?;
        for row in rows {
            world.outbox.remove(row.event_id).await?;
            found.insert(row.event_id.to_string());
        }
    }
    same("rows in all", found.len(), numbers.len())
}
