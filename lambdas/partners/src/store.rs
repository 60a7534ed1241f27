//! The ports of the service: subscriptions, deliveries, the queue and the secrets.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use domain::{CustomerId, EventId};
use jiff::Timestamp;
use platform::optimistic::Versioned;

use crate::delivery::Delivery;
use crate::event::PartnerEvent;
use crate::signature::SigningSecret;
use crate::webhook::{Subscriptions, WebhookId, parse_uuid};

/// The subscriptions of partners.
#[async_trait]
pub trait Partners: Send + Sync {
    /// Returns the subscriptions of a partner: an empty set if there has never been one.
    async fn get(&self, partner: &CustomerId) -> anyhow::Result<Versioned<Subscriptions>>;

    /// Replaces `read` by `subscriptions`. Returns false, and writes nothing, if they have changed since they
    /// were read.
    async fn replace(
        &self,
        partner: &CustomerId,
        read: &Versioned<Subscriptions>,
        subscriptions: &Subscriptions,
    ) -> anyhow::Result<bool>;
}

/// The position of a delivery in the list of its webhook.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The time of creation, in microseconds.
    pub created_at: Timestamp,
    /// The event of the delivery.
    pub event: EventId,
}

impl Position {
    /// Returns the position of `delivery`.
    pub fn from_delivery(delivery: &Delivery) -> Self {
        let micros = delivery.created_at.as_microsecond();
        Self {
            created_at: Timestamp::from_microsecond(micros).unwrap_or(delivery.created_at),
            event: delivery.event_id(),
        }
    }
}

/// Text with the same order as the positions.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}#{}", self.created_at, self.event)
    }
}

impl FromStr for Position {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (time, event) = text.split_once('#').ok_or("not a position")?;
        let created_at: Timestamp = time.parse().map_err(|_| "not a position")?;
        let position = Self { created_at, event: parse_uuid(event)?.into() };
        if position.to_string() == text { Ok(position) } else { Err("not a position".to_owned()) }
    }
}

/// A page of deliveries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The page, newest first.
    pub deliveries: Vec<Delivery>,
    /// The position after which the next page starts, if there is one.
    pub next: Option<Position>,
}

/// The deliveries of all webhooks.
#[async_trait]
pub trait Deliveries: Send + Sync {
    /// Returns the delivery of an event to a webhook, if there is one.
    async fn get(&self, webhook: WebhookId, event: EventId) -> anyhow::Result<Option<Versioned<Delivery>>>;

    /// Replaces `read` by `delivery`, or creates it if `read` is `None`, and returns the stored value.
    /// Returns `None`, and writes nothing, if the record has changed since it was read.
    async fn write(
        &self,
        read: Option<&Versioned<Delivery>>,
        delivery: &Delivery,
    ) -> anyhow::Result<Option<Versioned<Delivery>>>;

    /// Lists the deliveries of a webhook after the position `after`, newest first, at most `limit`.
    /// Deliveries of the last second may be missing.
    async fn list(&self, webhook: WebhookId, after: Option<&Position>, limit: u32) -> anyhow::Result<Page>;
}

/// The queue of `deliver-webhook`.
#[async_trait]
pub trait DeliveryQueue: Send + Sync {
    /// Sends an event to the queue, so that its pending deliveries are attempted.
    async fn send(&self, event: &PartnerEvent) -> anyhow::Result<()>;
}

/// A generator of signing secrets.
pub trait SecretGenerator: Send + Sync {
    /// Generates a secret that cannot be guessed.
    ///
    /// # Errors
    /// When the system's random number generator fails.
    fn generate(&self) -> anyhow::Result<SigningSecret>;
}
