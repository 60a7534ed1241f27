//! The response bodies of the API.

use domain::{EventId, OrderId};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::delivery::{Attempt, Delivery, DeliveryState};
use crate::endpoint::EndpointUrl;
use crate::event::{EventType, EventTypes};
use crate::webhook::{Description, Disabled, Webhook, WebhookId};

/// A webhook and its state.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Webhook")]
pub(crate) struct WebhookView<'a> {
    /// The id of the webhook.
    id: WebhookId,
    /// The URL that events are sent to.
    url: &'a EndpointUrl,
    /// The event types that are sent.
    events: &'a EventTypes,
    /// Your description of the webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a Description>,
    /// Whether events are sent.
    enabled: bool,
    /// The reason why no events are sent; absent if the webhook is enabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled: Option<Disabled>,
    /// The time of the first failed attempt since the last successful one (RFC 3339, UTC). After five days
    /// without a successful attempt the webhook is disabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    failing_since: Option<Timestamp>,
    /// The time of creation (RFC 3339, UTC).
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
}

impl<'a> WebhookView<'a> {
    pub(crate) fn new(webhook: &'a Webhook) -> Self {
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

/// A webhook that was just created.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "NewWebhook")]
pub(crate) struct NewWebhookView<'a> {
    #[serde(flatten)]
    pub(crate) webhook: WebhookView<'a>,
    /// The secret for verifying signatures (Standard Webhooks). It is returned only here.
    #[schemars(length(equal = 50), regex(pattern = r"^whsec_[A-Za-z0-9+/]{43}=$"))]
    pub(crate) secret: &'a str,
}

/// A page of webhooks.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookPage")]
pub(crate) struct WebhookPage<'a> {
    /// The webhooks, the newest first.
    pub(crate) webhooks: Vec<WebhookView<'a>>,
    /// The cursor of the next page; null on the last page.
    pub(crate) next_cursor: Option<String>,
}

/// The delivery of an event.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Delivery")]
pub(crate) struct DeliveryView<'a> {
    /// The `webhook-id` header of every attempt.
    #[schemars(length(equal = 36), regex(pattern = r"^msg_[0-9a-f]{32}$"))]
    id: String,
    /// The id of the event.
    event_id: EventId,
    /// The type of the event.
    event_type: Option<EventType>,
    /// The order that the event is about.
    order_id: OrderId,
    /// The state of the delivery.
    state: DeliveryState,
    /// The latest attempts, oldest first.
    #[schemars(length(max = 20))]
    attempts: &'a [Attempt],
    /// The time of the next attempt (RFC 3339, UTC); null if there is none.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    next_attempt_at: Option<Timestamp>,
    /// The time at which the first attempt was due (RFC 3339, UTC).
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
}

impl<'a> DeliveryView<'a> {
    pub(crate) fn new(delivery: &'a Delivery) -> Self {
        Self {
            id: delivery.webhook.message_id(delivery.event_id()),
            event_id: delivery.event_id(),
            event_type: Some(delivery.event.kind),
            order_id: delivery.event.order_id,
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
    /// The deliveries, the newest first.
    pub(crate) deliveries: Vec<DeliveryView<'a>>,
    /// The cursor of the next page; null on the last page.
    pub(crate) next_cursor: Option<String>,
}
