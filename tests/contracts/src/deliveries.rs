//! `partners::store::Deliveries`: the deliveries of events to webhooks.

use std::sync::Arc;

use domain::{EventId, Lease};
use futures::future::try_join_all;
use partners::delivery::{Attempt, Delivery, DeliveryState};
use partners::event::PartnerEvent;
use partners::store::{Deliveries, Position};
use partners::webhook::WebhookId;
use platform::optimistic::Versioned;
use uuid::Uuid;

use anyhow::Context;

use crate::check::{contract_suite, same};
use crate::sample::{order, time};

/// An empty store.
#[derive(Clone)]
pub struct World {
    /// The store under test.
    pub deliveries: Arc<dyn Deliveries>,
}

contract_suite!(World:
    the_first_write_requires_a_missing_record,
    each_write_requires_the_version_that_was_read,
    reads_return_what_was_written,
    deliveries_of_one_event_are_independent,
    deliveries_are_listed_newest_first_and_exactly_once,
    concurrent_writers_of_one_version_have_one_winner,
);

fn webhook(number: u8) -> WebhookId {
    Uuid::from_u128(number.into()).into()
}

/// The delivery of the event of an order, created `number` microseconds after a fixed time.
pub(crate) fn delivery(to: u8, number: u32) -> anyhow::Result<Delivery> {
    let at = time(i64::from(number))?;
    let event = PartnerEvent::from_event(&order(number, 1, at)?.1).context("an event for partners")?;
    Ok(Delivery::new(webhook(to), event, at))
}

/// The same delivery after a number of attempts.
fn attempted(delivery: &Delivery, attempts: u32) -> Delivery {
    Delivery { attempts_started: attempts, ..delivery.clone() }
}

impl World {
    async fn stored(&self, delivery: &Delivery) -> anyhow::Result<Option<Versioned<Delivery>>> {
        self.deliveries.get(delivery.webhook, delivery.event_id()).await
    }
}

async fn the_first_write_requires_a_missing_record(world: &World) -> anyhow::Result<()> {
    let first = delivery(1, 1)?;
    same("no delivery", world.stored(&first).await?, None)?;
    let read = Versioned { value: first.clone(), version: 1 };
    same("a later version", world.deliveries.write(Some(&read), &first).await?, None)?;
    same("still none", world.stored(&first).await?, None)?;
    same("the first", world.deliveries.write(None, &first).await?, Some(read.clone()))?;
    same("another first", world.deliveries.write(None, &attempted(&first, 7)).await?, None)?;
    same("read", world.stored(&first).await?, Some(read))
}

async fn each_write_requires_the_version_that_was_read(world: &World) -> anyhow::Result<()> {
    let first = delivery(1, 1)?;
    let mut read = world.deliveries.write(None, &first).await?.context("not written")?;
    for attempts in 1..=3 {
        let next = attempted(&first, attempts);
        let written = world.deliveries.write(Some(&read), &next).await?.context("not written")?;
        same("written", &written, &Versioned { value: next, version: read.version + 1 })?;
        let again = world.deliveries.write(Some(&read), &attempted(&first, 9)).await?;
        same("written at the version before", again, None)?;
        let future = Versioned { version: written.version + 1, ..written.clone() };
        same("at a future version", world.deliveries.write(Some(&future), &first).await?, None)?;
        same("read", world.stored(&first).await?, Some(written.clone()))?;
        read = written;
    }
    Ok(())
}

async fn reads_return_what_was_written(world: &World) -> anyhow::Result<()> {
    let at = jiff::Timestamp::from_nanosecond(1_795_428_930_123_456_789)?;
    let full = Delivery {
        state: DeliveryState::Failed,
        attempts: vec![
            Attempt { at, status: Some(503), error: Some("responded with 503 “☕”".to_owned()) },
            Attempt { at, status: None, error: None },
        ],
        attempts_started: 10,
        next_attempt_at: None,
        lease: Some(Lease { owner: Uuid::from_u128(1), expires_at: at }),
        created_at: at,
        ..delivery(1, 1)?
    };
    let mut read = None;
    for delivery in [delivery(1, 1)?, full, delivery(1, 1)?] {
        let written = world.deliveries.write(read.as_ref(), &delivery).await?.context("not written")?;
        same("written", &written.value, &delivery)?;
        same("read", world.stored(&delivery).await?, Some(written.clone()))?;
        read = Some(written);
    }
    Ok(())
}

async fn deliveries_of_one_event_are_independent(world: &World) -> anyhow::Result<()> {
    for to in [1, 2] {
        let written = world.deliveries.write(None, &delivery(to, 1)?).await?;
        same("the first of its webhook", written.is_some(), true)?;
    }
    let stored = world.stored(&delivery(1, 1)?).await?.context("no delivery")?;
    let next = attempted(&stored.value, 1);
    same("the next", world.deliveries.write(Some(&stored), &next).await?.is_some(), true)?;
    let other = Versioned { value: delivery(2, 1)?, version: 1 };
    same("the other", world.stored(&other.value).await?, Some(other))
}

async fn deliveries_are_listed_newest_first_and_exactly_once(world: &World) -> anyhow::Result<()> {
    let mut expected: Vec<EventId> = Vec::new();
    for number in 1..=7 {
        let mine = delivery(1, number)?;
        expected.insert(0, mine.event_id());
        let stored = world.deliveries.write(None, &mine).await?.context("not written")?;
        // A change does not move it.
        let changed = world.deliveries.write(Some(&stored), &attempted(&mine, 1)).await?;
        same("changed", changed.is_some(), true)?;
        same("of another", world.deliveries.write(None, &delivery(2, number)?).await?.is_some(), true)?;
    }
    for limit in [1, 2, 3, 7, 8] {
        let (mut found, mut after): (Vec<EventId>, Option<Position>) = (Vec::new(), None);
        loop {
            let page = world.deliveries.list(webhook(1), after.as_ref(), limit).await?;
            anyhow::ensure!(page.deliveries.len() <= usize::try_from(limit)?, "more than {limit} on a page");
            anyhow::ensure!(!page.deliveries.is_empty(), "an empty page follows a page of {limit}");
            found.extend(page.deliveries.iter().map(Delivery::event_id));
            anyhow::ensure!(found.len() <= expected.len(), "deliveries are repeated: {found:?}");
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        same(&format!("in pages of {limit}"), found, expected.clone())?;
    }
    let none = world.deliveries.list(webhook(3), None, 10).await?;
    same("of an unknown webhook", (none.deliveries.len(), none.next), (0, None))
}

async fn concurrent_writers_of_one_version_have_one_winner(world: &World) -> anyhow::Result<()> {
    let mut read: Option<Versioned<Delivery>> = None;
    for _ in 0..3 {
        let all = (1..=20).map(|attempts| Ok(attempted(&delivery(1, 1)?, attempts)));
        let all = all.collect::<anyhow::Result<Vec<_>>>()?;
        let answers = try_join_all(all.iter().map(|new| world.deliveries.write(read.as_ref(), new))).await?;
        let won: Vec<Versioned<Delivery>> = answers.into_iter().flatten().collect();
        same("writers that won", won.len(), 1)?;
        read = world.stored(&delivery(1, 1)?).await?;
        same("read", read.as_ref(), won.first())?;
    }
    Ok(())
}
