//! The subscriptions of a partner and their rules, without I/O.

use std::fmt;
use std::str::FromStr;

use domain::{EventId, InvalidText, OPTIONAL_TEXT_PATTERN, check_readable};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::endpoint::EndpointUrl;
use crate::event::{EventType, EventTypes};
use crate::signature::SigningSecret;

/// The maximum number of webhooks of a partner.
pub const MAX_WEBHOOKS: usize = 10;

/// The maximum number of characters of a description.
const MAX_DESCRIPTION_LENGTH: usize = 200;

/// The maximum difference between the clocks of two functions, each of which is off by less than a quarter of a minute.
const CLOCK_SKEW_MARGIN: SignedDuration = SignedDuration::from_secs(30);

/// The id of a webhook: a UUID version 7, so that ids sort by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct WebhookId(Uuid);

impl WebhookId {
    /// Returns the message id of `event` for this webhook. It is the same in every attempt, so that the
    /// receiver can deduplicate. It contains no dot, which is the separator in the signed content.
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
        parse_uuid(text).map(Self)
    }
}

/// Parses a UUID in the hyphenated form only.
///
/// # Errors
/// When the text is not such a UUID. The message is meant for clients.
pub fn parse_uuid(text: &str) -> Result<Uuid, String> {
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

/// A description of a webhook: at most 200 characters, without control and invisible ones. Deserialization also
/// accepts descriptions that were stored before that rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(into = "String")]
#[schemars(
    rename = "WebhookDescription",
    with = "String",
    extend("maxLength" = 200, "pattern" = OPTIONAL_TEXT_PATTERN)
)]
pub struct Description(String);

impl Description {
    /// Returns the description, or `None` if it is empty.
    pub fn non_empty(self) -> Option<Self> {
        Some(self).filter(|description| !description.0.is_empty())
    }
}

impl<'de> Deserialize<'de> for Description {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

impl TryFrom<String> for Description {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, InvalidText> {
        let is_blank = text.chars().count() <= MAX_DESCRIPTION_LENGTH && text.trim_matches(' ').is_empty();
        let text = if is_blank { "" } else { check_readable(&text, MAX_DESCRIPTION_LENGTH)? };
        Ok(Self(text.to_owned()))
    }
}

impl From<Description> for String {
    fn from(description: Description) -> Self {
        description.0
    }
}

/// The reason why a webhook is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisabledReason {
    /// You disabled it.
    Owner,
    /// No attempt succeeded for too long.
    Failing,
    /// The receiver responded with 410 Gone.
    Gone,
}

/// Why and since when a webhook is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Disabled {
    /// Why it is disabled.
    pub reason: DisabledReason,
    /// The time at which the webhook was disabled (RFC 3339, UTC).
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
}

/// The request that created a webhook. A repeated request must not create another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creation {
    /// The hash of the idempotency key.
    pub key: String,
    /// The hash of the requested fields.
    pub fingerprint: String,
}

/// A webhook: the subscription of a URL to event types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// The id of the webhook.
    pub id: WebhookId,
    /// The URL that events are sent to.
    #[serde(deserialize_with = "EndpointUrl::deserialize_stored")]
    pub url: EndpointUrl,
    /// The event types that are sent.
    pub events: EventTypes,
    /// The description by the partner.
    pub description: Option<Description>,
    /// The secret that signs the requests.
    pub secret: SigningSecret,
    /// The time of creation. Earlier events are not sent.
    pub created_at: Timestamp,
    /// The request that created it.
    pub creation: Creation,
    /// The start of the period that counts for the health of the webhook: its creation, its enabling, a
    /// change of its URL, or the last successful attempt. Attempts that started earlier are ignored.
    #[serde(rename = "trusted_since")]
    pub health_reset_at: Timestamp,
    /// The time of the first failed attempt since the last successful one.
    pub failing_since: Option<Timestamp>,
    /// Set if the webhook is disabled.
    pub disabled: Option<Disabled>,
}

impl Webhook {
    /// Returns whether an event of the type `kind` that happened at `time` is to be sent.
    pub fn is_subscribed_to(&self, kind: EventType, time: Timestamp) -> bool {
        self.disabled.is_none()
            && self.events.contains(kind)
            && time.saturating_add(CLOCK_SKEW_MARGIN).unwrap_or(Timestamp::MAX) >= self.created_at
    }

    fn reset_health(&mut self, now: Timestamp) {
        (self.health_reset_at, self.failing_since) = (now, None);
    }
}

/// The result of an attempt, as it affects the health of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptResult {
    /// The receiver accepted the event.
    Succeeded,
    /// The attempt failed.
    Failed,
    /// The receiver responded with 410 Gone.
    Gone,
}

/// A change of a webhook. Fields that are `None` stay unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// The new URL.
    pub url: Option<EndpointUrl>,
    /// The new event types.
    pub events: Option<EventTypes>,
    /// The new description. An empty one removes it.
    pub description: Option<Description>,
    /// Whether events are to be sent.
    pub enabled: Option<bool>,
}

/// The outcome of a request to create a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subscribed {
    /// The webhook was added.
    Created,
    /// A previous request with the same key and fields created this webhook.
    Replayed(Box<Webhook>),
    /// The key was used for a request with other fields.
    KeyReused,
    /// The partner already has [`MAX_WEBHOOKS`] webhooks.
    TooMany,
}

/// All webhooks of a partner, oldest first. They fit into one item, so that one conditional write makes every
/// change and enforces the limit and the idempotency keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Subscriptions(Vec<Webhook>);

impl Subscriptions {
    /// Returns the webhook `id`, if it exists.
    pub fn get(&self, id: WebhookId) -> Option<&Webhook> {
        self.0.iter().find(|webhook| webhook.id == id)
    }

    /// Returns all webhooks, oldest first.
    pub fn all(&self) -> &[Webhook] {
        &self.0
    }

    fn get_mut(&mut self, id: WebhookId) -> Option<&mut Webhook> {
        self.0.iter_mut().find(|webhook| webhook.id == id)
    }

    /// Adds `webhook`, unless a previous request with the same key has already added one.
    pub fn subscribe(&mut self, webhook: &Webhook) -> Subscribed {
        let same_key = self.0.iter().find(|other| other.creation.key == webhook.creation.key);
        match same_key {
            Some(existing) if existing.creation == webhook.creation => {
                Subscribed::Replayed(Box::new(existing.clone()))
            }
            Some(_) => Subscribed::KeyReused,
            None if self.0.len() >= MAX_WEBHOOKS => Subscribed::TooMany,
            None => {
                self.0.push(webhook.clone());
                Subscribed::Created
            }
        }
    }

    /// Changes the webhook `id` and returns it, or `None` if it does not exist.
    pub fn change(&mut self, id: WebhookId, change: &Change, now: Timestamp) -> Option<&Webhook> {
        let webhook = self.get_mut(id)?;
        if let Some(url) = change.url.clone().filter(|url| *url != webhook.url) {
            webhook.url = url;
            webhook.reset_health(now);
        }
        if let Some(events) = &change.events {
            webhook.events = events.clone();
        }
        if let Some(description) = &change.description {
            webhook.description = description.clone().non_empty();
        }
        match (change.enabled, webhook.disabled) {
            (Some(true), Some(_)) => {
                webhook.disabled = None;
                webhook.reset_health(now);
            }
            (Some(false), None) => {
                webhook.disabled = Some(Disabled { reason: DisabledReason::Owner, at: now });
            }
            _ => {}
        }
        Some(webhook)
    }

    /// Removes the webhook `id`. Returns false if it does not exist.
    pub fn remove(&mut self, id: WebhookId) -> bool {
        let before = self.0.len();
        self.0.retain(|webhook| webhook.id != id);
        self.0.len() < before
    }

    /// Records the result of an attempt that started at `started_at`, and disables the webhook if it has been
    /// failing for `disable_after`. Returns false if nothing changes, for example because the health of the
    /// webhook was reset after the attempt had started.
    pub fn record_attempt(
        &mut self,
        id: WebhookId,
        started_at: Timestamp,
        result: AttemptResult,
        now: Timestamp,
        disable_after: SignedDuration,
    ) -> bool {
        let Some(webhook) = self.get_mut(id).filter(|webhook| webhook.health_reset_at <= started_at) else {
            return false;
        };
        match (result, webhook.failing_since) {
            (AttemptResult::Succeeded, Some(since)) if since <= started_at => {
                webhook.reset_health(started_at);
                true
            }
            (AttemptResult::Succeeded, _) => false,
            (AttemptResult::Failed | AttemptResult::Gone, since) => {
                let since = since.map_or(started_at, |since| since.min(started_at));
                let reason = match result {
                    AttemptResult::Gone => Some(DisabledReason::Gone),
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
