//! Two stores of orders.

use std::collections::BTreeMap;

use domain::Event;
use domain::order::{Order, Outcome};
use domain::payment::VoidReason;
use jiff::SignedDuration;
use orders::store::{Placed, Stored};
use proptest::prelude::*;

use super::{alike, answer};
use crate::orders::World;
use crate::sample::{cause, customer, order, order_id, placement, time};

/// A call to a store of orders, or to its outbox. Times are in seconds after a fixed moment.
#[derive(Debug, Clone)]
pub enum Call {
    /// Places an order: the next one, or one with an id that is taken.
    Place {
        /// Whether its id is that of the order before.
        again: bool,
        /// Under which key.
        key: u8,
        /// Of which customer.
        customer: u32,
        /// When.
        now: i64,
        /// Until when the key is remembered.
        lasts: i64,
    },
    /// Reads an order.
    Get(u32),
    /// Replaces an order.
    Replace {
        /// Which.
        order: u32,
        /// The version that it stands on.
        version: u64,
        /// What it becomes.
        change: Change,
        /// Whether an event is written with it.
        event: bool,
    },
    /// Lists a customer's orders, a page.
    List {
        /// Which customer.
        customer: u32,
        /// Behind which order.
        after: Option<u32>,
        /// At most so many.
        limit: u32,
    },
    /// Lists the open orders, all pages.
    Open(i64),
    /// Lists what is left in the outbox.
    Left(i64),
    /// Removes an order's first event, or its second, from the outbox.
    Remove(u32, bool),
}

/// What an order becomes.
#[derive(Debug, Clone, Copy)]
pub enum Change {
    /// Its stock is held.
    Reserved,
    /// Somebody wants it cancelled.
    Cancelling,
    /// It is final.
    Paid,
}

/// Any call.
pub fn calls() -> impl Strategy<Value = Call> {
    let change = prop_oneof![Just(Change::Reserved), Just(Change::Cancelling), Just(Change::Paid)];
    // An id that is taken is rare: the adapter tries for half a second before it gives up.
    let place = (prop::bool::weighted(0.03), 0..4_u8, 1..=2_u32, 0..4_i64, 0..4_i64);
    let replace = (1..=4_u32, 1..=3_u64, change, any::<bool>());
    let list = (1..=2_u32, prop::option::of(1..=5_u32), 1..=3_u32);
    prop_oneof![
        6 => place.prop_map(|(again, key, customer, now, lasts)| Call::Place { again, key, customer, now, lasts }),
        1 => (1..=5_u32).prop_map(Call::Get),
        6 => replace.prop_map(|(order, version, change, event)| Call::Replace { order, version, change, event }),
        2 => list.prop_map(|(customer, after, limit)| Call::List { customer, after, limit }),
        1 => (0..5_i64).prop_map(Call::Open),
        1 => (0..5_i64).prop_map(Call::Left),
        2 => (1..=4_u32, any::<bool>()).prop_map(|(order, second)| Call::Remove(order, second)),
    ]
}

/// What can be compared of an answer. A page's end need not be known when it is full, and open orders come in
/// any order.
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
    let wish = order.request_cancellation(VoidReason::CustomerRequest, time(0)?, cause()?);
    let (cancelling, event) = wish.ok_or_else(|| anyhow::anyhow!("a new order can be cancelled"))?;
    let order = match change {
        Change::Reserved => Order { reserved: true, ..order.clone() },
        Change::Cancelling => cancelling,
        Change::Paid => Order { outcome: Some(Outcome::Paid), ..order.clone() },
    };
    Ok((order, event))
}

/// The calls so far, as far as later ones depend on them.
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

    async fn ask(self, call: &Call, world: &World) -> anyhow::Result<Answer> {
        let seconds = |seconds: i64| Ok::<_, anyhow::Error>(time(0)? + SignedDuration::from_secs(seconds));
        let orders = &world.orders;
        Ok(match *call {
            Call::Place { again: _, key, customer, now, lasts } => {
                let (order, event) = order(self.placed, customer, seconds(now)?)?;
                let placement = placement(&format!("key-{key}"), order.id, lasts);
                Answer::Placed(orders.place(&order, &event, &placement, seconds(now)?).await?)
            }
            Call::Get(number) => Answer::Got(orders.get(order_id(number)).await?),
            Call::Replace { order: number, version, change, event } => {
                let (order, _) = order(number, 1, seconds(0)?)?;
                let (new, wish) = changed(&order, change)?;
                let read = Stored { order, version };
                Answer::Replaced(orders.replace(&read, &new, event.then_some(&wish)).await?)
            }
            Call::List { customer: number, after, limit } => {
                let after = after.map(order_id);
                Answer::Listed(orders.list(&customer(number)?, after, limit).await?.orders)
            }
            Call::Open(before) => {
                let (mut found, mut next) = (BTreeMap::new(), None);
                loop {
                    let (page, more) = orders.list_open(seconds(before)?, next).await?;
                    found.extend(page.into_iter().map(|stored| (stored.order.id.to_string(), stored)));
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

/// Makes the calls to both.
///
/// # Errors
/// When one got two answers.
pub async fn compare(calls: Vec<Call>, stores: [World; 2]) -> anyhow::Result<()> {
    let mut script = Script::default();
    for (index, call) in calls.iter().enumerate() {
        script.next(call);
        let taken = matches!(call, Call::Place { again: true, .. });
        let one = answer(taken, script.ask(call, &stores[0]).await)?;
        let other = answer(taken, script.ask(call, &stores[1]).await)?;
        alike(index, call, [one, other])?;
    }
    Ok(())
}
