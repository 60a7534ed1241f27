//! Webhooks: the events of the account and their deliveries (<https://docs.stripe.com/webhooks>).

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::account::new_id;

/// The API version of the events.
const API_VERSION: &str = "2024-06-20";
/// The number of deliveries that are kept; older ones are dropped.
const MAX_DELIVERIES: usize = 5_000;

/// The webhook endpoint, and the events since it was set.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Webhooks {
    /// Without an endpoint, events are neither sent nor kept.
    pub endpoint: Option<Endpoint>,
    /// The modes of individual orders, by order id. They override that of the endpoint.
    pub modes: IndexMap<String, Mode>,
    /// By event id, oldest first.
    pub deliveries: IndexMap<String, Delivery>,
    /// The ids of the events to send now. An id can occur twice.
    #[serde(skip)]
    due: Vec<String>,
}

/// The webhook endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// `http://…`
    pub url: String,
    /// The signing secret: `whsec_…`
    pub secret: String,
    /// How events are sent.
    #[serde(default)]
    pub mode: Mode,
}

/// How events are sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Immediately, with retries until the endpoint acknowledges them.
    #[default]
    Normal,
    /// Held until they are resent through the control API.
    Off,
    /// Twice, at the same time.
    Twice,
}

/// An event and the status of its delivery.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Delivery {
    /// The event id: `evt_…`
    pub event: String,
    /// The event type: `payment_intent.succeeded`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// `metadata[order_id]` of the object in the event.
    pub order_id: Option<String>,
    /// The time of the event.
    pub at: Timestamp,
    /// The number of attempts so far.
    pub attempts: u32,
    /// The HTTP status of the last response; `null` if there was none.
    pub last_status: Option<u16>,
    /// The state of the delivery.
    pub state: DeliveryState,
    /// The event, byte for byte.
    pub body: String,
}

/// The state of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Not sent because of [`Mode::Off`].
    Held,
    /// Being sent, or waiting for a retry.
    Pending,
    /// Acknowledged with a 2xx response.
    Delivered,
    /// Not acknowledged after the last attempt.
    #[serde(rename = "given_up")]
    Failed,
}

impl Webhooks {
    /// Records an event about `object`, which is an API object, if there is an endpoint.
    pub fn record_event(&mut self, kind: &str, object: &Value, now: Timestamp) {
        let Some(endpoint) = &self.endpoint else { return };
        let order_id = object.pointer("/metadata/order_id").and_then(Value::as_str).map(str::to_owned);
        let mode = order_id.as_ref().and_then(|id| self.modes.get(id)).copied().unwrap_or(endpoint.mode);
        let event = new_id("evt");
        let body = json!({
            "id": event,
            "object": "event",
            "api_version": API_VERSION,
            "created": now.as_second(),
            "data": { "object": object },
            "livemode": false,
            "pending_webhooks": 1,
            "request": { "id": null, "idempotency_key": null },
            "type": kind,
        });
        let state = if mode == Mode::Off { DeliveryState::Held } else { DeliveryState::Pending };
        let times = match mode {
            Mode::Off => 0,
            Mode::Normal => 1,
            Mode::Twice => 2,
        };
        self.due.extend(std::iter::repeat_n(event.clone(), times));
        let delivery = Delivery {
            event: event.clone(),
            kind: kind.to_owned(),
            order_id,
            at: now,
            attempts: 0,
            last_status: None,
            state,
            body: body.to_string(),
        };
        if self.deliveries.len() >= MAX_DELIVERIES {
            self.deliveries.shift_remove_index(0);
        }
        self.deliveries.insert(event, delivery);
    }

    /// Schedules an event to be sent again, or for the first time if it is held. Returns false if the id is
    /// unknown.
    pub fn resend(&mut self, event: &str) -> bool {
        let Some(delivery) = self.deliveries.get_mut(event) else { return false };
        delivery.state = DeliveryState::Pending;
        self.due.push(event.to_owned());
        true
    }

    /// Schedules all events that were pending when the process ended.
    pub fn resume(&mut self) {
        let pending = self.deliveries.values().filter(|delivery| delivery.state == DeliveryState::Pending);
        self.due = pending.map(|delivery| delivery.event.clone()).collect();
    }

    /// Returns the ids of the events to send now and clears the list.
    pub fn take_due(&mut self) -> Vec<String> {
        std::mem::take(&mut self.due)
    }

    /// Returns the endpoint and the body of an event; `None` if either has been removed.
    pub fn endpoint_and_body(&self, event: &str) -> Option<(Endpoint, String)> {
        Some((self.endpoint.clone()?, self.deliveries.get(event)?.body.clone()))
    }

    /// Records the response to an attempt. After the last attempt there is no retry.
    pub fn record_attempt(&mut self, event: &str, status: Option<u16>, is_last_attempt: bool) {
        let Some(delivery) = self.deliveries.get_mut(event) else { return };
        delivery.attempts = delivery.attempts.saturating_add(1);
        delivery.last_status = status;
        // Of two concurrent attempts, one acknowledgement is enough.
        if is_success(status) {
            delivery.state = DeliveryState::Delivered;
        } else if is_last_attempt && delivery.state == DeliveryState::Pending {
            delivery.state = DeliveryState::Failed;
        }
    }
}

/// Returns whether a response with this status acknowledges the event.
pub fn is_success(status: Option<u16>) -> bool {
    status.is_some_and(|status| (200..300).contains(&status))
}
