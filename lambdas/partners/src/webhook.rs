//! A partner's subscriptions, and their rules: pure.

use std::fmt;
use std::str::FromStr;

use domain::EventId;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::endpoint::EndpointUrl;
use crate::event::{EventType, EventTypes};
use crate::signature::SigningSecret;

/// The most subscriptions that a partner has.
pub const MOST_WEBHOOKS: usize = 10;

/// How far the clocks of two functions may be apart.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(15);

/// A subscription. A UUID version 7: ids sort by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct WebhookId(Uuid);

impl WebhookId {
    /// Names the delivery of `event` to this subscription: the same however often it is sent, so that a receiver can
    /// drop what it has seen. It has no dot, which the signature puts between its parts.
    pub fn message_id(self, event: EventId) -> String {
        let id = Uuid::new_v5(&self.0, event.to_string().as_bytes());
        format!("msg_{}", id.simple())
    }
}

impl From<Uuid> for WebhookId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl FromStr for WebhookId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        uuid(text).map(Self)
    }
}

/// Reads a UUID in its hyphenated form alone.
///
/// # Errors
/// Says what is wrong with it.
pub fn uuid(text: &str) -> Result<Uuid, String> {
    if text.len() != 36 {
        return Err("must be a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057".to_owned());
    }
    text.parse().map_err(|error| format!("must be a UUID: {error}"))
}

impl fmt::Display for WebhookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for WebhookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a partner writes beside a subscription: at most 200 characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("maxLength" = 200, "pattern" = r"^[^\u0000-\u001f\u007f-\u009f]*$"))]
pub struct Remark(String);

impl Remark {
    /// The remark, unless there is nothing in it.
    pub fn or_none(self) -> Option<Self> {
        Some(self).filter(|remark| !remark.0.is_empty())
    }
}

impl TryFrom<String> for Remark {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        if text.chars().count() > 200 {
            return Err("may have at most 200 characters");
        }
        if text.chars().any(char::is_control) {
            Err("may have no control characters")
        } else {
            Ok(Self(text))
        }
    }
}

impl From<Remark> for String {
    fn from(remark: Remark) -> Self {
        remark.0
    }
}

/// Why nothing is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisabledReason {
    /// Its owner wants it so.
    Owner,
    /// Nothing arrived for too long.
    Failing,
    /// The receiver answered 410 Gone.
    Gone,
}

/// Since when, and why, nothing is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Disabled {
    /// Why.
    pub reason: DisabledReason,
    /// When (RFC 3339, UTC).
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
}

/// The request that made a subscription, so that it makes none again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creation {
    /// Its idempotency key, hashed.
    pub key: String,
    /// What it asked for, hashed.
    pub fingerprint: String,
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Names it.
    pub id: WebhookId,
    /// Where events are sent.
    pub url: EndpointUrl,
    /// Which events.
    pub events: EventTypes,
    /// What its owner wrote beside it.
    pub description: Option<Remark>,
    /// What signs them.
    pub secret: SigningSecret,
    /// When it was made. Nothing is sent of what happened before.
    pub created_at: Timestamp,
    /// What made it.
    pub creation: Creation,
    /// Attempts that began earlier say nothing about it any more: it was made, enabled or pointed elsewhere then, or
    /// something arrived.
    pub trusted_since: Timestamp,
    /// When the first attempt failed since something arrived.
    pub failing_since: Option<Timestamp>,
    /// Whether, and why, nothing is sent.
    pub disabled: Option<Disabled>,
}

impl Webhook {
    /// Whether it is to hear of an event of that type that happened at `time`.
    pub fn wants(&self, kind: EventType, time: Timestamp) -> bool {
        self.disabled.is_none()
            && self.events.contain(kind)
            && time.saturating_add(CLOCKS_DIFFER).unwrap_or(Timestamp::MAX) >= self.created_at
    }

    fn start_afresh(&mut self, now: Timestamp) {
        (self.trusted_since, self.failing_since) = (now, None);
    }
}

/// What became of an attempt to send something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It arrived.
    Arrived,
    /// It did not.
    Failed,
    /// The receiver is gone, and says so.
    Gone,
}

/// What a partner wants to be otherwise; `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Where events are sent.
    pub url: Option<EndpointUrl>,
    /// Which events.
    pub events: Option<EventTypes>,
    /// An empty one removes it.
    pub description: Option<Remark>,
    /// Whether anything is sent.
    pub enabled: Option<bool>,
}

/// What became of a wish to subscribe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subscribed {
    /// There is one more.
    Now,
    /// The same request made this one before.
    Before(Box<Webhook>),
    /// Another request had the same key.
    KeyReused,
    /// There are [`MOST_WEBHOOKS`] already.
    TooMany,
}

/// All subscriptions of a partner, the oldest first. Small enough to be one row: every change is one conditional
/// write, and so are the limit and the idempotency key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Subscriptions(Vec<Webhook>);

impl Subscriptions {
    /// One of them.
    pub fn get(&self, id: WebhookId) -> Option<&Webhook> {
        self.0.iter().find(|webhook| webhook.id == id)
    }

    /// All of them, the oldest first.
    pub fn all(&self) -> &[Webhook] {
        &self.0
    }

    fn get_mut(&mut self, id: WebhookId) -> Option<&mut Webhook> {
        self.0.iter_mut().find(|webhook| webhook.id == id)
    }

    /// Adds `webhook`, unless the same request did so before.
    pub fn subscribe(&mut self, webhook: &Webhook) -> Subscribed {
        let same_key = self.0.iter().find(|other| other.creation.key == webhook.creation.key);
        match same_key {
            Some(before) if before.creation == webhook.creation => {
                Subscribed::Before(Box::new(before.clone()))
            }
            Some(_) => Subscribed::KeyReused,
            None if self.0.len() >= MOST_WEBHOOKS => Subscribed::TooMany,
            None => {
                self.0.push(webhook.clone());
                Subscribed::Now
            }
        }
    }

    /// Changes one, and gives it back; `None` if there is no such.
    pub fn change(&mut self, id: WebhookId, change: &Change, now: Timestamp) -> Option<&Webhook> {
        let webhook = self.get_mut(id)?;
        if let Some(url) = change.url.clone().filter(|url| *url != webhook.url) {
            webhook.url = url;
            webhook.start_afresh(now);
        }
        if let Some(events) = &change.events {
            webhook.events = events.clone();
        }
        if let Some(description) = &change.description {
            webhook.description = description.clone().or_none();
        }
        match (change.enabled, webhook.disabled) {
            (Some(true), Some(_)) => {
                webhook.disabled = None;
                webhook.start_afresh(now);
            }
            (Some(false), None) => {
                webhook.disabled = Some(Disabled { reason: DisabledReason::Owner, at: now });
            }
            _ => {}
        }
        Some(webhook)
    }

    /// Removes one: false if there is no such.
    pub fn remove(&mut self, id: WebhookId) -> bool {
        let before = self.0.len();
        self.0.retain(|webhook| webhook.id != id);
        self.0.len() < before
    }

    /// Takes note of an attempt that began at `began`, and disables what has been failing for `disable_after`. False
    /// if nothing changes: also when the attempt is older than what has become of the subscription since.
    pub fn note(
        &mut self,
        id: WebhookId,
        began: Timestamp,
        health: Health,
        now: Timestamp,
        disable_after: SignedDuration,
    ) -> bool {
        let Some(webhook) = self.get_mut(id).filter(|webhook| webhook.trusted_since <= began) else {
            return false;
        };
        match (health, webhook.failing_since) {
            (Health::Arrived, Some(since)) if since <= began => {
                webhook.start_afresh(began);
                true
            }
            (Health::Arrived, _) => false,
            (Health::Failed | Health::Gone, since) => {
                let since = since.map_or(began, |since| since.min(began));
                let reason = match health {
                    Health::Gone => Some(DisabledReason::Gone),
                    _ if now.duration_since(since) >= disable_after => Some(DisabledReason::Failing),
                    _ => None,
                };
                let before = (webhook.failing_since, webhook.disabled);
                webhook.failing_since = Some(since);
                if webhook.disabled.is_none() {
                    webhook.disabled = reason.map(|reason| Disabled { reason, at: now });
                }
                (webhook.failing_since, webhook.disabled) != before
            }
        }
    }
}
