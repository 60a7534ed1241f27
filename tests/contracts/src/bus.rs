//! `platform::Publisher`: the bus.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use domain::{Event, EventId};
use platform::Publisher;

use crate::check::{family, same};
use crate::sample::{order, time};

/// Somebody who gets every event.
#[async_trait]
pub trait Subscriber: Send + Sync {
    /// All that came so far; waits for a while until that is `least` events.
    async fn received(&self, least: usize) -> anyhow::Result<Vec<Event>>;
}

/// A bus that nobody has published on.
#[derive(Clone)]
pub struct World {
    /// The way onto it.
    pub publisher: Arc<dyn Publisher>,
    /// The way off it.
    pub subscriber: Arc<dyn Subscriber>,
}

family!(World:
    what_is_published_arrives_as_it_was,
    many_at_once_arrive,
    an_event_may_be_published_again,
);

fn events(numbers: std::ops::RangeInclusive<u32>) -> anyhow::Result<Vec<Event>> {
    numbers.map(|number| Ok(order(number, 1, time(i64::from(number))?)?.1)).collect()
}

/// By id: a bus may hand an event out twice, and in any order.
fn by_id(events: Vec<Event>) -> BTreeMap<EventId, Event> {
    events.into_iter().map(|event| (event.id, event)).collect()
}

async fn what_is_published_arrives_as_it_was(world: &World) -> anyhow::Result<()> {
    world.publisher.publish(&[]).await?;
    let events = events(1..=1)?;
    world.publisher.publish(&events).await?;
    same("the event", by_id(world.subscriber.received(1).await?), by_id(events))
}

async fn many_at_once_arrive(world: &World) -> anyhow::Result<()> {
    // More than `PutEvents` takes in one request, and no multiple of that.
    let events = events(1..=25)?;
    world.publisher.publish(&events).await?;
    same("the events", by_id(world.subscriber.received(25).await?), by_id(events))
}

async fn an_event_may_be_published_again(world: &World) -> anyhow::Result<()> {
    let events = events(1..=3)?;
    world.publisher.publish(&events).await?;
    world.publisher.publish(&events[1..]).await?;
    same("the events", by_id(world.subscriber.received(5).await?), by_id(events))
}
