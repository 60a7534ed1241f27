//! Differential test of two order stores.

use std::collections::BTreeMap;

use domain::order::{Order, Outcome};
use domain::{Event, VoidReason};
use jiff::SignedDuration;
use orders::quota::Quota;
use orders::store::{Placed, Stored};
use proptest::prelude::*;

use super::{comparable, ensure_equal};
use crate::orders::World;
use crate::sample::{cause, customer, idempotency_record, order, order_id, time};

/// A call to an order store, or to its outbox. Numbers identify orders and customers; times are in seconds
/// after a fixed time.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields say it")]
pub enum Call {
    /// Places a new order, or one with an existing id.
    Place {
        /// Whether to use the id of the previous order.
        again: bool,
        key: u8,
        customer: u32,
        now: i64,
        /// The maximum number of orders of the customer, if it is limited.
        max_orders: Option<u32>,
        /// The time at which the key expires.
        valid_for: i64,
    },
    /// Reads an order.
    Get(u32),
    /// Replaces an order.
    Replace {
        order: u32,
        /// The version that was read.
        version: u64,
        change: Change,
        /// Whether an event is written in the same transaction.
        event: bool,
    },
    /// Lists a page of a customer's orders.
    List { customer: u32, after: Option<u32>, limit: u32 },
    /// Lists all open orders placed before a time.
    Open(i64),
    /// Lists the outbox rows written before a time.
    Left(i64),
    /// Removes an order's first or second event from the outbox.
    Remove(u32, bool),
}

/// A change of an order.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Change {
    Reserved,
    Cancelling,
    Paid,
}

/// Generates any call.
pub fn calls() -> impl Strategy<Value = Call> {
    let change = prop_oneof![Just(Change::Reserved), Just(Change::Cancelling), Just(Change::Paid)];
    // Duplicate ids are rare: the adapter retries for half a second before it fails.
    let max_orders = prop::option::weighted(0.3, 1..=4_u32);
    let place = (prop::bool::weighted(0.03), 0..4_u8, 1..=2_u32, 0..4_i64, max_orders, 0..4_i64);
    let replace = (1..=4_u32, 1..=3_u64, change, any::<bool>());
    let list = (1..=2_u32, prop::option::of(1..=5_u32), 1..=3_u32);
    prop_oneof![
        6 => place.prop_map(|(again, key, customer, now, max_orders, valid_for)| Call::Place { again, key, customer, now, max_orders, valid_for }),
        1 => (1..=5_u32).prop_map(Call::Get),
        6 => replace.prop_map(|(order, version, change, event)| Call::Replace { order, version, change, event }),
        2 => list.prop_map(|(customer, after, limit)| Call::List { customer, after, limit }),
        1 => (0..5_i64).prop_map(Call::Open),
        1 => (0..5_i64).prop_map(Call::Left),
        2 => (1..=4_u32, any::<bool>()).prop_map(|(order, second)| Call::Remove(order, second)),
    ]
}

/// The comparable part of a result. Leaves out the cursor of a page, because a full page may have one or not,
/// and the sequence of open orders, which is undefined.
#[derive(Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there are a few dozen of them at a time")]
enum Answer {
    Placed(Placed),
    Got(Option<Stored>),
    Replaced(bool),
    Listed(Vec<Order>),
    Open(BTreeMap<String, Stored>),
    Left(BTreeMap<String, String>),
    Removed,
}

fn changed(order: &Order, change: Change) -> anyhow::Result<(Order, Event)> {
    let requested = order.request_cancellation(VoidReason::CustomerRequest, time(0)?, cause()?);
    let (cancelling, event) = requested.ok_or_else(|| anyhow::anyhow!("a new order can be cancelled"))?;
    let order = match change {
        Change::Reserved => Order { reserved: true, ..order.clone() },
        Change::Cancelling => cancelling,
        Change::Paid => Order { outcome: Some(Outcome::Paid), ..order.clone() },
    };
    Ok((order, event))
}

/// The state of the test that later calls depend on.
#[derive(Debug, Clone, Copy, Default)]
struct Script {
    placed: u32,
}

impl Script {
    fn next(&mut self, call: &Call) {
        if matches!(call, Call::Place { again: false, .. }) {
            self.placed += 1;
        }
    }

    async fn execute(self, call: &Call, world: &World) -> anyhow::Result<Answer> {
        let seconds = |seconds: i64| Ok::<_, anyhow::Error>(time(0)? + SignedDuration::from_secs(seconds));
        let orders = &world.orders;
        Ok(match *call {
            Call::Place { again: _, key, customer: number, now, max_orders, valid_for } => {
                let (order, event) = order(self.placed, number, seconds(now)?)?;
                let quota = |max_orders| {
                    Ok::<_, anyhow::Error>(Quota {
                        customer: customer(number)?,
                        window: 0,
                        ends_at: 600,
                        max_orders,
                    })
                };
                let quota = max_orders.map(quota).transpose()?;
                let record = idempotency_record(&format!("key-{key}"), order.id, valid_for);
                Answer::Placed(orders.place(&order, &event, &record, quota.as_ref(), seconds(now)?).await?)
            }
            Call::Get(number) => Answer::Got(orders.get(order_id(number)).await?),
            Call::Replace { order: number, version, change, event } => {
                let (order, _) = order(number, 1, seconds(0)?)?;
                let (new, requested) = changed(&order, change)?;
                let read = Stored { value: order, version };
                Answer::Replaced(orders.replace(&read, &new, event.then_some(&requested)).await?)
            }
            Call::List { customer: number, after, limit } => {
                let after = after.map(order_id);
                Answer::Listed(orders.list(&customer(number)?, after, limit).await?.orders)
            }
            Call::Open(before) => {
                let (mut found, mut next) = (BTreeMap::new(), None);
                loop {
                    let (page, more) = orders.list_open(seconds(before)?, next).await?;
                    found.extend(page.into_iter().map(|stored| (stored.value.id.to_string(), stored)));
                    next = more;
                    if next.is_none() {
                        break Answer::Open(found);
                    }
                }
            }
            Call::Left(before) => {
                let rows = world.outbox.list_created_before(seconds(before)?).await?;
                Answer::Left(rows.into_iter().map(|row| (row.event_id.to_string(), row.event)).collect())
            }
            Call::Remove(number, second) => {
                let (order, created) = order(number, 1, seconds(0)?)?;
                let event = if second { changed(&order, Change::Cancelling)?.1 } else { created };
                world.outbox.remove(event.id).await?;
                Answer::Removed
            }
        })
    }
}

/// Makes the same calls to both stores.
///
/// # Errors
/// If a call returned different results.
pub async fn compare(calls: Vec<Call>, stores: [World; 2]) -> anyhow::Result<()> {
    let mut script = Script::default();
    for (index, call) in calls.iter().enumerate() {
        script.next(call);
        let taken = matches!(call, Call::Place { again: true, .. });
        let one = comparable(taken, script.execute(call, &stores[0]).await)?;
        let other = comparable(taken, script.execute(call, &stores[1]).await)?;
        ensure_equal(index, call, [one, other])?;
    }
    Ok(())
}
