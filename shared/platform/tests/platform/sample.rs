//! Sample events, and a handler whose behaviour a test chooses per event.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use domain::fact::ReservationSettled;
use domain::{Cause, Event, Fact, OrderId};
use jiff::Timestamp;
use platform::host::stream::OutboxHandler;
use platform::{EventHandler, Failure, lock};
use serde_json::json;
use uuid::Uuid;

pub(crate) fn order_id(number: u128) -> OrderId {
    OrderId::from(Uuid::from_u128(number))
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(1_795_428_930).unwrap()
}

/// An event about order `number`.
pub(crate) fn event(number: u128) -> Event {
    let correlation_id = format!("request-{number}").parse().unwrap();
    let cause = Cause { correlation_id, causation_id: None, traceparent: None };
    Event::new(order_id(number), Fact::ReservationCommitted(ReservationSettled {}), now(), cause)
}

/// The event that the handler returns for `event`.
pub(crate) fn caused(event: &Event) -> Event {
    let fact = Fact::ReservationReleased(ReservationSettled {});
    Event::new(event.subject, fact, now(), event.to_cause())
}

/// The body of the message that EventBridge sends to a queue.
pub(crate) fn body(event: &Event) -> String {
    json!({"version": "0", "detail-type": event.fact.name(), "source": event.source, "detail": event})
        .to_string()
}

/// How the handler fails for the event of an order. Events without a fate succeed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fate {
    Retry,
    Reject,
    Poison,
    Leased { until: Timestamp },
    Panic,
    Hang,
}

#[derive(Debug, Default)]
pub(crate) struct Handler {
    pub(crate) fates: BTreeMap<OrderId, Fate>,
    handled: Mutex<Vec<OrderId>>,
}

impl Handler {
    pub(crate) fn new(fates: &[(u128, Fate)]) -> Self {
        let fates = fates.iter().map(|(number, fate)| (order_id(*number), *fate)).collect();
        Self { fates, handled: Mutex::default() }
    }

    /// The orders of the handled events, in order.
    pub(crate) fn handled(&self) -> Vec<OrderId> {
        lock(&self.handled).clone()
    }
}

#[async_trait]
impl OutboxHandler for Handler {
    async fn relay(&self, event: &Event) -> Result<(), Failure> {
        self.handle(event).await.map(drop)
    }
}

#[async_trait]
impl EventHandler for Handler {
    async fn handle(&self, event: &Event) -> Result<Vec<Event>, Failure> {
        lock(&self.handled).push(event.subject);
        match self.fates.get(&event.subject) {
            None => Ok(vec![caused(event)]),
            Some(Fate::Retry) => Err(Failure::retry(anyhow::anyhow!("no response").context("calling"))),
            Some(Fate::Reject) => Err(Failure::reject("cannot succeed")),
            Some(Fate::Poison) => Err(Failure::poison("not for this function")),
            Some(Fate::Leased { until }) => Err(Failure::Leased { until: *until }),
            Some(Fate::Panic) => panic!("a bug"),
            Some(Fate::Hang) => std::future::pending().await,
        }
    }
}
