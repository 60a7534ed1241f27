//! The quota of a customer's orders.

use futures::future::join_all;
use orders::quota::Quota;
use orders::store::Placed;

use super::{World, ids};
use crate::check::same;
use crate::sample::{customer, idempotency_record, order, time};

/// A quota of a customer in a window.
fn quota(of: u32, window: i64, max_orders: u32) -> anyhow::Result<Quota> {
    Ok(Quota { customer: customer(of)?, window, ends_at: window + 600, max_orders })
}

pub(super) async fn a_customer_places_at_most_as_many_orders_as_the_quota_allows(
    world: &World,
) -> anyhow::Result<()> {
    let steps = [
        (1, quota(1, 0, 2)?, Placed::Created),
        (2, quota(1, 0, 2)?, Placed::Created),
        (3, quota(1, 0, 2)?, Placed::LimitReached),
        (4, quota(2, 0, 2)?, Placed::Created),
        (5, quota(1, 600, 2)?, Placed::Created),
        (6, quota(1, 0, 2)?, Placed::LimitReached),
        (7, quota(1, 0, 3)?, Placed::Created),
    ];
    let mut events = Vec::new();
    for (number, quota, expected) in steps {
        let (order, event) = order(number, 1, time(0)?)?;
        let key = idempotency_record(&format!("key-{number}"), order.id, 60);
        let placed = world.orders.place(&order, &event, &key, Some(&quota), time(0)?).await?;
        let stored = world.orders.get(order.id).await?.is_some();
        same("whether the order is stored", stored, expected == Placed::Created)?;
        events.extend(stored.then_some(event));
        same("the order", placed, expected)?;
    }
    same("the outbox", world.outbox_event_ids().await?, ids(&events.iter().collect::<Vec<_>>()))?;
    // Without a quota, nothing is counted. The key of a refused order is still free.
    let (order, event) = order(3, 1, time(0)?)?;
    let key = idempotency_record("key-3", order.id, 60);
    same("no quota", world.orders.place(&order, &event, &key, None, time(0)?).await?, Placed::Created)
}

pub(super) async fn a_replay_does_not_count_towards_the_quota(world: &World) -> anyhow::Result<()> {
    let quota = quota(1, 0, 2)?;
    let place = async |number: u32, key: &str| {
        let (order, event) = order(number, 1, time(0)?)?;
        let key = idempotency_record(key, order.id, 60);
        world.orders.place(&order, &event, &key, Some(&quota), time(0)?).await
    };
    same("new", place(1, "key").await?, Placed::Created)?;
    for number in 2..=5 {
        anyhow::ensure!(matches!(place(number, "key").await?, Placed::Replayed(_)), "it is a replay");
    }
    same("the second", place(6, "another").await?, Placed::Created)?;
    anyhow::ensure!(
        matches!(place(7, "key").await?, Placed::Replayed(_)),
        "a replay is possible at the limit"
    );
    same("the third", place(8, "third").await?, Placed::LimitReached)
}

pub(super) async fn concurrent_orders_do_not_exceed_the_quota(world: &World) -> anyhow::Result<()> {
    let quota = quota(1, 0, 3)?;
    let requests = (1..=8).map(async |number| {
        let (order, event) = order(number, 1, time(0)?)?;
        let key = idempotency_record(&format!("key-{number}"), order.id, 60);
        world.orders.place(&order, &event, &key, Some(&quota), time(0)?).await
    });
    let answers = join_all(requests).await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let placed = answers.iter().filter(|placed| **placed == Placed::Created).count();
    same("placed, of 8", placed, 3)?;
    same("refused", answers.iter().filter(|placed| **placed == Placed::LimitReached).count(), 5)?;
    same("rows in the outbox", world.outbox_event_ids().await?.len(), 3)
}
