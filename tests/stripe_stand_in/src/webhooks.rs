//! Webhooks: events of the account, and what became of sending them (<https://docs.stripe.com/webhooks>).

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::account::new_id;

/// The version of the API that events are written in.
const API_VERSION: &str = "2024-06-20";
/// How many deliveries are remembered; older ones fall out.
const MAX_DELIVERIES: usize = 5_000;

/// Where events are sent to, and those that there were since it is known.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Webhooks {
    /// None: nothing is sent, and nothing kept.
    pub endpoint: Option<Endpoint>,
    /// For single orders, by their id: how their events are sent, in place of how all are.
    pub modes: IndexMap<String, Mode>,
    /// By the event's id, oldest first.
    pub deliveries: IndexMap<String, Delivery>,
    /// The events that are to be sent now. One may be there twice.
    #[serde(skip)]
    due: Vec<String>,
}

/// Where events are sent to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// `http://…`
    pub url: String,
    /// What they are signed with: `whsec_…`
    pub secret: String,
    /// How they are sent.
    #[serde(default)]
    pub mode: Mode,
}

/// How events are sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// At once, and again while they are not taken.
    #[default]
    Normal,
    /// Not until somebody asks for it.
    Off,
    /// Twice, at the same time.
    Twice,
}

/// An event, and what became of sending it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Delivery {
    /// Its id: `evt_…`
    pub event: String,
    /// Its type: `payment_intent.succeeded`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// `metadata[order_id]` of what it is about.
    pub order_id: Option<String>,
    /// When it happened.
    pub at: Timestamp,
    /// How often it was sent.
    pub attempts: u32,
    /// The status of the last answer; `null` where none came.
    pub last_status: Option<u16>,
    /// Where that leaves it.
    pub state: DeliveryState,
    /// The event, byte for byte.
    pub body: String,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Kept back, as [`Mode::Off`] wants it.
    Held,
    /// Being sent, or waiting to be sent again.
    Pending,
    /// Taken: answered with 2xx.
    Delivered,
    /// Sent often enough, and not taken.
    #[serde(rename = "given_up")]
    Failed,
}

impl Webhooks {
    /// Something happened to `object`, as the API shows it: an event for the endpoint, if there is one.
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

    /// Has an event sent once more, or at last. False when there is none of that id.
    pub fn resend(&mut self, event: &str) -> bool {
        let Some(delivery) = self.deliveries.get_mut(event) else { return false };
        delivery.state = DeliveryState::Pending;
        self.due.push(event.to_owned());
        true
    }

    /// Has everything sent that was to be sent when the process ended.
    pub fn resume(&mut self) {
        let pending = self.deliveries.values().filter(|delivery| delivery.state == DeliveryState::Pending);
        self.due = pending.map(|delivery| delivery.event.clone()).collect();
    }

    /// The events that are to be sent now, and are not when this is asked again.
    pub fn take_due(&mut self) -> Vec<String> {
        std::mem::take(&mut self.due)
    }

    /// Where to send an event, and what; nothing when either is gone.
    pub fn endpoint_and_body(&self, event: &str) -> Option<(Endpoint, String)> {
        Some((self.endpoint.clone()?, self.deliveries.get(event)?.body.clone()))
    }

    /// Notes how an event was answered; with `last`, it is not sent again.
    pub fn record_attempt(&mut self, event: &str, status: Option<u16>, is_last_attempt: bool) {
        let Some(delivery) = self.deliveries.get_mut(event) else { return };
        delivery.attempts = delivery.attempts.saturating_add(1);
        delivery.last_status = status;
        // Of two that are sent at a time, one that was taken counts.
        if is_success(status) {
            delivery.state = DeliveryState::Delivered;
        } else if is_last_attempt && delivery.state == DeliveryState::Pending {
            delivery.state = DeliveryState::Failed;
        }
    }
}

/// Whether an answer with this status says that the event need not come again.
pub fn is_success(status: Option<u16>) -> bool {
    status.is_some_and(|status| (200..300).contains(&status))
}
