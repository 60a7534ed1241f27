//! What clients see.

use domain::{EventId, OrderId};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::delivery::{Attempt, Delivery, DeliveryState};
use crate::endpoint::EndpointUrl;
use crate::event::{EventType, EventTypes};
use crate::webhook::{Disabled, Remark, Webhook, WebhookId};

/// A subscription.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Webhook")]
pub(crate) struct WebhookView<'a> {
    /// Names it.
    id: WebhookId,
    /// Where events are sent.
    url: &'a EndpointUrl,
    /// Which events.
    events: &'a EventTypes,
    /// What you wrote beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a Remark>,
    /// Whether anything is sent.
    enabled: bool,
    /// Why not, and since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled: Option<Disabled>,
    /// When an attempt first failed since something arrived (RFC 3339, UTC). After five days of that it is disabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    failing_since: Option<Timestamp>,
    /// When it was made (RFC 3339, UTC).
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
}

impl<'a> WebhookView<'a> {
    pub(crate) fn of(webhook: &'a Webhook) -> Self {
        Self {
            id: webhook.id,
            url: &webhook.url,
            events: &webhook.events,
            description: webhook.description.as_ref(),
            enabled: webhook.disabled.is_none(),
            disabled: webhook.disabled,
            failing_since: webhook.failing_since,
            created_at: webhook.created_at,
        }
    }
}

/// A subscription that was just made.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "NewWebhook")]
pub(crate) struct NewWebhookView<'a> {
    #[serde(flatten)]
    pub(crate) webhook: WebhookView<'a>,
    /// What to check signatures with (Standard Webhooks). It is shown this once.
    #[schemars(length(equal = 50), regex(pattern = r"^whsec_[A-Za-z0-9+/]{43}=$"))]
    pub(crate) secret: &'a str,
}

/// A page of subscriptions.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookPage")]
pub(crate) struct WebhookPage<'a> {
    /// The newest first.
    pub(crate) webhooks: Vec<WebhookView<'a>>,
    /// Where the next page starts; null on the last one.
    pub(crate) next_cursor: Option<String>,
}

/// The delivery of an event.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Delivery")]
pub(crate) struct DeliveryView<'a> {
    /// The `webhook-id` that it is sent with, each time.
    #[schemars(length(equal = 36), regex(pattern = r"^msg_[0-9a-f]{32}$"))]
    id: String,
    /// The event.
    event_id: EventId,
    /// Its type.
    event_type: Option<EventType>,
    /// The order that it is about.
    order_id: OrderId,
    /// How far it is.
    state: DeliveryState,
    /// The last attempts, the oldest first.
    #[schemars(length(max = 20))]
    attempts: &'a [Attempt],
    /// When the next attempt is due (RFC 3339, UTC); null when there is none.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    next_attempt_at: Option<Timestamp>,
    /// When it was first due (RFC 3339, UTC).
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
}

impl<'a> DeliveryView<'a> {
    pub(crate) fn of(delivery: &'a Delivery) -> Self {
        Self {
            id: delivery.webhook.message_id(delivery.event_id()),
            event_id: delivery.event_id(),
            event_type: EventType::of(&delivery.event.fact).map(|(kind, _)| kind),
            order_id: delivery.event.subject,
            state: delivery.state,
            attempts: &delivery.attempts,
            next_attempt_at: delivery.next_attempt_at,
            created_at: delivery.created_at,
        }
    }
}

/// A page of deliveries.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DeliveryPage")]
pub(crate) struct DeliveryPage<'a> {
    /// The newest first.
    pub(crate) deliveries: Vec<DeliveryView<'a>>,
    /// Where the next page starts; null on the last one.
    pub(crate) next_cursor: Option<String>,
}
