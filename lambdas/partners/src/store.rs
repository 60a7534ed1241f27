//! The ports to what the service keeps and calls.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use domain::{CustomerId, Event, EventId};
use jiff::Timestamp;

use crate::delivery::Delivery;
use crate::signature::SigningSecret;
use crate::webhook::{Subscriptions, WebhookId, uuid};

/// Something as it was read, with the version that the next write stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    /// What was read.
    pub value: T,
    /// Goes up by one with every write; 0 for what was never written.
    pub version: u64,
}

/// The partners' subscriptions.
#[async_trait]
pub trait Partners: Send + Sync {
    /// A partner's. Who never had any has none.
    async fn get(&self, partner: &CustomerId) -> anyhow::Result<Versioned<Subscriptions>>;

    /// Writes them in place of `read`. False, and nothing written, when they are no longer as they were read.
    async fn replace(
        &self,
        partner: &CustomerId,
        read: &Versioned<Subscriptions>,
        subscriptions: &Subscriptions,
    ) -> anyhow::Result<bool>;
}

/// Where a delivery stands among those of its subscription.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// When it was first attempted, in microseconds.
    pub created_at: Timestamp,
    /// Of which event.
    pub event: EventId,
}

impl Position {
    /// The one of `delivery`.
    pub fn of(delivery: &Delivery) -> Self {
        let micros = delivery.created_at.as_microsecond();
        Self {
            created_at: Timestamp::from_microsecond(micros).unwrap_or(delivery.created_at),
            event: delivery.event_id(),
        }
    }
}

/// Text that sorts as positions do.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}#{}", self.created_at, self.event)
    }
}

impl FromStr for Position {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (time, event) = text.split_once('#').ok_or("no position")?;
        let created_at: Timestamp = time.parse().map_err(|_| "no position")?;
        let position = Self { created_at, event: uuid(event)?.into() };
        if position.to_string() == text { Ok(position) } else { Err("no position".to_owned()) }
    }
}

/// A page of deliveries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The newest first.
    pub deliveries: Vec<Delivery>,
    /// Where the next page starts behind, if there is one.
    pub next: Option<Position>,
}

/// The deliveries.
#[async_trait]
pub trait Deliveries: Send + Sync {
    /// One of them.
    async fn get(&self, webhook: WebhookId, event: EventId) -> anyhow::Result<Option<Versioned<Delivery>>>;

    /// Writes `delivery` in place of `read`, or as a new one where there was none, and gives it back as it now
    /// stands. `None`, and nothing written, when what was read is no longer so.
    async fn write(
        &self,
        read: Option<&Versioned<Delivery>>,
        delivery: &Delivery,
    ) -> anyhow::Result<Option<Versioned<Delivery>>>;

    /// A subscription's, the newest first, behind `after`; at most `limit`. Those of the last second may be missing.
    async fn list(&self, webhook: WebhookId, after: Option<&Position>, limit: u32) -> anyhow::Result<Page>;
}

/// The queue that `deliver-webhook` works on.
#[async_trait]
pub trait DeliveryQueue: Send + Sync {
    /// Has an event looked at again.
    async fn send(&self, event: &Event) -> anyhow::Result<()>;
}

/// Where signing secrets come from.
pub trait Secrets: Send + Sync {
    /// One that nobody can guess.
    ///
    /// # Errors
    /// When the system has no chance to give.
    fn fresh(&self) -> anyhow::Result<SigningSecret>;
}
