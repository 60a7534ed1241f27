//! The partners: they subscribe to events, place orders for their customers, and change their subscriptions.

use std::sync::Arc;
use std::time::Duration;

use domain::OrderId;
use http::{Method, StatusCode};
use jiff::Timestamp;
use partners::webhook::WebhookId;
use platform::{Clock, lock};
use serde_json::{Value, json};

use super::receivers::Behavior;
use crate::ports::Ports;
use crate::services::client::{ApiRequest, partner};
use crate::world::World;

/// The client ids of the partners.
const PARTNERS: [&str; 2] = ["client1", "client12"];
/// Sets of event types that a partner subscribes to; none stands for all.
const EVENTS: [&[&str]; 4] = [
    &[],
    &["order.created"],
    &["payment.succeeded", "payment.failed"],
    &["reservation.rejected", "payment.voided"],
];

/// What a partner knows of a subscription.
#[derive(Debug, Clone)]
pub struct Known {
    /// The client id of the partner.
    pub partner: &'static str,
    /// The URL of the receiver.
    pub url: String,
    /// The event types; empty for all.
    pub events: &'static [&'static str],
    /// When the partner began to subscribe.
    pub requested_at: Timestamp,
    /// The webhook and its secret, and when the partner got them.
    pub created: Option<(WebhookId, Value, Timestamp)>,
    /// Whether the partner has disabled or removed the webhook.
    pub is_changed: bool,
}

/// What a partner does with a webhook later.
#[derive(Debug, Clone, Copy)]
enum Change {
    Nothing,
    DisableAndEnable,
    Remove,
    Resend,
}

/// A subscription that a partner is to create.
struct Plan {
    at: Duration,
    partner: &'static str,
    events: &'static [&'static str],
    behavior: Behavior,
    change: (Duration, Change),
}

impl Plan {
    fn random(rng: &mut fastrand::Rng) -> Self {
        Self {
            // Most subscribe before the first order, some while orders are processed.
            at: Duration::from_millis(if rng.u8(0..4) > 0 { 0 } else { rng.u64(0..120_000) }),
            partner: PARTNERS[rng.usize(0..2)],
            events: EVENTS[rng.usize(0..EVENTS.len())],
            behavior: match rng.u8(0..12) {
                0..=4 => Behavior::Accepts,
                5..=7 => Behavior::Fails,
                8..=9 => Behavior::IsSlow,
                10 => Behavior::IsGone,
                _ => Behavior::IsBroken,
            },
            change: (
                Duration::from_millis(rng.u64(0..300_000)),
                [Change::Nothing, Change::Nothing, Change::DisableAndEnable, Change::Remove, Change::Resend]
                    [rng.usize(0..5)],
            ),
        }
    }

    /// The subscription of a run without random faults.
    fn usual() -> Self {
        Self {
            at: Duration::ZERO,
            partner: PARTNERS[0],
            events: EVENTS[0],
            behavior: Behavior::Accepts,
            change: (Duration::from_secs(120), Change::Resend),
        }
    }
}

/// Starts the partners.
pub(super) fn start(world: &Arc<World>) {
    let is_random = world.sim.rates().is_some();
    // The attempts at a broken receiver take two days, with a health check every five minutes.
    let is_watched = world.services.iter().any(|service| service.name() == "operations");
    let (plans, orders) = if is_random {
        world.sim.random(|rng| {
            let mut plans: Vec<Plan> = (0..rng.usize(1..=3)).map(|_| Plan::random(rng)).collect();
            for plan in plans.iter_mut().filter(|plan| is_watched && plan.behavior == Behavior::IsBroken) {
                plan.behavior = Behavior::Fails;
            }
            // Some partners have customers but no subscription, and the other way round.
            let orders = (0..rng.usize(1..=2))
                .map(|_| (PARTNERS[rng.usize(0..2)], Duration::from_millis(rng.u64(0..60_000))));
            let orders: Vec<_> = orders.collect();
            (plans, orders)
        })
    } else {
        (vec![Plan::usual()], vec![(PARTNERS[0], Duration::from_secs(30))])
    };
    for (number, plan) in plans.into_iter().enumerate() {
        let ports = Ports::of_client(world, "partner");
        world.sim.scheduler.spawn(async move { subscribe(&ports, number, plan).await });
    }
    for (number, (partner, at)) in orders.into_iter().enumerate() {
        let ports = Ports::of_client(world, "partner");
        world.sim.scheduler.spawn(async move {
            ports.caller.sleep(at).await;
            place_order(&ports, partner, number).await;
        });
    }
}

async fn subscribe(ports: &Ports, number: usize, plan: Plan) {
    ports.caller.sleep(plan.at).await;
    let Plan { partner, events, .. } = plan;
    let url = format!("https://{partner}.example.com/hooks/{number}");
    let state = &ports.world.parts.partners;
    state.receivers.add(&url, plan.behavior);
    let requested_at = ports.world.sim.now();
    let index = {
        let mut known = lock(&state.known);
        known.push(Known {
            partner,
            url: url.clone(),
            events,
            requested_at,
            created: None,
            is_changed: false,
        });
        known.len().saturating_sub(1)
    };
    let body =
        if events.is_empty() { json!({ "url": url }) } else { json!({ "url": url, "events": events }) };
    let key = format!("subscription-{number}");
    let (status, webhook) = send(ports, partner, Method::POST, "/webhooks", Some(&key), body).await;
    let id = webhook["id"].as_str().and_then(|id| id.parse::<WebhookId>().ok());
    let (StatusCode::CREATED, Some(id)) = (status, id) else {
        return report(ports, "POST /webhooks", status, &webhook);
    };
    if let Some(known) = lock(&state.known).get_mut(index) {
        known.created = Some((id, webhook["secret"].clone(), ports.world.sim.now()));
    }
    let (wait, change) = plan.change;
    ports.caller.sleep(wait).await;
    let path = format!("/webhooks/{id}");
    let mark_changed = || {
        if let Some(known) = lock(&state.known).get_mut(index) {
            known.is_changed = true;
        }
    };
    match change {
        Change::Nothing => {}
        Change::DisableAndEnable => {
            mark_changed();
            for enabled in [false, true] {
                let body = json!({ "enabled": enabled });
                let (status, body) = send(ports, partner, Method::PATCH, &path, None, body).await;
                if !status.is_success() {
                    return report(ports, "PATCH", status, &body);
                }
                ports.caller.sleep(Duration::from_secs(30)).await;
            }
        }
        Change::Remove => {
            mark_changed();
            let (status, body) = send(ports, partner, Method::DELETE, &path, None, Value::Null).await;
            // The first request may have removed it, although its response was lost.
            if status != StatusCode::NO_CONTENT && status != StatusCode::NOT_FOUND {
                report(ports, "DELETE", status, &body);
            }
        }
        Change::Resend => resend(ports, partner, &path).await,
    }
}

/// Requests the redelivery of the oldest delivery, whatever its state.
async fn resend(ports: &Ports, partner: &'static str, webhook: &str) {
    let path = format!("{webhook}/deliveries");
    let (status, page) = send(ports, partner, Method::GET, &path, None, Value::Null).await;
    if status != StatusCode::OK {
        return report(ports, "GET", status, &page);
    }
    let oldest = page["deliveries"].as_array().and_then(|deliveries| deliveries.last().cloned());
    let Some(event) = oldest.as_ref().and_then(|delivery| delivery["event_id"].as_str()) else { return };
    let path = format!("{path}/{event}/resend");
    let (status, body) = send(ports, partner, Method::POST, &path, None, Value::Null).await;
    // A webhook whose receiver is gone is disabled: the delivery cannot be requested again.
    if status != StatusCode::ACCEPTED && status != StatusCode::CONFLICT {
        report(ports, "POST", status, &body);
    }
}

/// Places an order for a customer of the partner.
async fn place_order(ports: &Ports, partner: &'static str, number: usize) {
    let body = json!({
        "customer": {
            "id": format!("p-{number}"), "name": "Ada Lovelace", "email": format!("{partner}-{number}@example.com"),
            "address": { "recipient": "Ada", "street": "1 High St", "city": "London", "country": "GB" },
        },
        "payment_method": if number == 0 { "pm_visa" } else { "pm_declined" },
        "lines": [{ "sku": "TEA", "quantity": 1, "unit_price": { "amount": 500, "currency": "EUR" } }],
    });
    let key = format!("partner-{number}");
    let began_at = ports.world.sim.now();
    let request = ApiRequest {
        function: "orders-api",
        caller: crate::services::client::partner(partner),
        method: Method::POST,
        path: "/partner/orders",
        header: Some(("idempotency-key", &key)),
        body,
    };
    let (status, body) = request.send(ports).await.unwrap_or_default();
    let id = body["id"].as_str().and_then(|id| id.parse::<OrderId>().ok());
    match id {
        Some(id) if status == StatusCode::CREATED => {
            lock(&ports.world.parts.partners.placed).insert(id, began_at);
        }
        _ => report(ports, "POST /partner/orders", status, &body),
    }
}

async fn send(
    ports: &Ports,
    id: &str,
    method: Method,
    path: &str,
    key: Option<&str>,
    body: Value,
) -> (StatusCode, Value) {
    let header = key.map(|key| ("idempotency-key", key));
    let request = ApiRequest { function: "webhooks-api", caller: partner(id), method, path, header, body };
    request.send(ports).await.unwrap_or((StatusCode::GATEWAY_TIMEOUT, Value::Null))
}

/// Reports a response that is a defect: a client error. A partner gives up after too many server errors.
fn report(ports: &Ports, what: &str, status: StatusCode, body: &Value) {
    if status.is_client_error() {
        ports.world.report_violation(format!("the partner's {what} returned {status}: {body}"));
    }
}
