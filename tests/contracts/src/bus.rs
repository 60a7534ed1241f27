//! `platform::Publisher`: the bus.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use domain::{Event, EventId};
use platform::Publisher;

use crate::check::{contract_suite, same};
use crate::sample::{order, time};

/// A subscriber that receives every event.
#[async_trait]
pub trait Subscriber: Send + Sync {
    /// The events received so far. Waits a while until there are at least `at_least`.
    async fn received(&self, at_least: usize) -> anyhow::Result<Vec<Event>>;
}

/// A bus without events.
#[derive(Clone)]
pub struct World {
    /// The publisher under test.
    pub publisher: Arc<dyn Publisher>,
    /// A subscriber to the same bus.
    pub subscriber: Arc<dyn Subscriber>,
}

contract_suite!(World:
    published_events_arrive_unchanged,
    large_batches_arrive_completely,
    an_event_can_be_published_twice,
);

fn events(numbers: std::ops::RangeInclusive<u32>) -> anyhow::Result<Vec<Event>> {
    numbers.map(|number| Ok(order(number, 1, time(i64::from(number))?)?.1)).collect()
}

/// Indexes events by id, because a bus may deliver an event twice and in any order.
fn by_id(events: Vec<Event>) -> BTreeMap<EventId, Event> {
    events.into_iter().map(|event| (event.id, event)).collect()
}

async fn published_events_arrive_unchanged(world: &World) -> anyhow::Result<()> {
    world.publisher.publish(&[]).await?;
    let events = events(1..=1)?;
    world.publisher.publish(&events).await?;
    same("the event", by_id(world.subscriber.received(1).await?), by_id(events))
}

async fn large_batches_arrive_completely(world: &World) -> anyhow::Result<()> {
    // More than a `PutEvents` request accepts, and not a multiple of that limit.
    let events = events(1..=25)?;
    world.publisher.publish(&events).await?;
    same("the events", by_id(world.subscriber.received(25).await?), by_id(events))
}

async fn an_event_can_be_published_twice(world: &World) -> anyhow::Result<()> {
    let events = events(1..=3)?;
    world.publisher.publish(&events).await?;
    world.publisher.publish(&events[1..]).await?;
    same("the events", by_id(world.subscriber.received(5).await?), by_id(events))
}
