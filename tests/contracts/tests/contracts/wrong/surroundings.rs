//! A wrong bus and a wrong queue.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use contracts::{bus, queue};
use domain::Event;
use platform::Publisher;
use platform::host::queue::Visibility;
use platform::host::record::{DeadLetter, DeadLetters};
use platform::memory::{Bus, Queue};

use super::breaks;
use crate::memory::{Published, Told};

/// Says that all is well when the bus has taken the first ten.
struct TenAtMost(Arc<Bus>);

#[async_trait]
impl Publisher for TenAtMost {
    async fn publish(&self, events: &[Event]) -> anyhow::Result<()> {
        self.0.publish(&events[..events.len().min(10)]).await
    }
}

#[tokio::test]
async fn a_bus_that_loses_what_does_not_fit_into_one_request() {
    let world = async || {
        let bus = Arc::new(Bus::default());
        let publisher = Arc::new(TenAtMost(bus.clone()));
        Ok(bus::World { publisher, subscriber: Arc::new(Published(bus)) })
    };
    breaks(bus::broken(world).await, &["many_at_once_arrive"]);
}

/// Puts nothing off, and refuses a letter whose reason is longer than an attribute may be.
struct Careless(Arc<Queue>);

#[async_trait]
impl Visibility for Careless {
    async fn put_off(&self, receipt: &str, _: Duration) -> anyhow::Result<()> {
        Visibility::put_off(&*self.0, receipt, Duration::ZERO).await
    }
}

#[async_trait]
impl DeadLetters for Careless {
    async fn bury(&self, letter: &DeadLetter) -> anyhow::Result<()> {
        anyhow::ensure!(letter.error.len() < 1000, "the reason is too long");
        let letter = DeadLetter { correlation_id: None, ..letter.clone() };
        self.0.bury(&letter).await
    }
}

#[tokio::test]
async fn a_queue_that_is_careless_with_what_could_not_be_handled() {
    let world = async || {
        let queue = Arc::new(Queue::default());
        let careless = Arc::new(Careless(queue.clone()));
        Ok(queue::World {
            visibility: careless.clone(),
            dead_letters: careless,
            broker: Arc::new(Told(queue)),
        })
    };
    let expected = [
        "a_message_that_is_put_off_comes_then_and_not_before",
        "a_dead_letter_says_what_was_wrong",
        "a_dead_letter_takes_any_reason",
    ];
    breaks(queue::broken(world).await, &expected);
}
