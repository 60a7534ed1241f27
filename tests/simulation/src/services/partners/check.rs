//! The invariants of the partner service: each partner gets each event that it subscribed to at least once, with one
//! id, and none that is not theirs; and the records say what the receivers saw.

use std::collections::{BTreeMap, BTreeSet};

use domain::OrderId;
use domain::order::{Order, OrderStatus};
use jiff::SignedDuration;
use partners::delivery::{Delivery, DeliveryState, MAX_ATTEMPTS, MAX_EVENT_AGE};
use partners::event::PartnerEvent;
use partners::signature::SigningSecret;
use partners::store::Deliveries;
use platform::lock;

use super::clients::Known;
use super::receivers::{Behavior, Received};
use super::{MAX_DURATION, events, later};
use crate::faults::CLOCK_SKEW;
use crate::ports::now;
use crate::world::World;

/// The events of at most this time before the creation of a webhook may be sent too, because clocks differ.
const MARGIN: SignedDuration = SignedDuration::from_secs(30);

pub(super) fn check(world: &World) -> Vec<String> {
    let received = world.parts.partners.receivers.received();
    let orders = world.orders.all();
    let events: Vec<PartnerEvent> = events(world).iter().filter_map(PartnerEvent::from_event).collect();
    let mut violations = Vec::new();
    let known = lock(&world.parts.partners.known).clone();
    for webhook in &known {
        let theirs: Vec<&Received> = received.iter().filter(|it| it.url == webhook.url).collect();
        for request in &theirs {
            violations.extend(check_request(webhook, request, &orders));
        }
        violations.extend(check_deliveries(world, webhook, &theirs, &events, &orders));
    }
    violations.extend(check_ids(&received));
    violations.extend(check_replays(world, &received));
    violations
}

/// A request is authentic, and about an event that the partner subscribed to.
fn check_request(webhook: &Known, request: &Received, orders: &BTreeMap<OrderId, Order>) -> Option<String> {
    let Received { payload, id, .. } = request;
    let text = |pointer: &str| payload.pointer(pointer).and_then(|value| value.as_str()).unwrap_or_default();
    let kind = text("/type");
    let order = text("/data/order_id").parse().ok().and_then(|id| orders.get(&id));
    let customer = format!("{}.{}", webhook.partner, text("/data/customer_id"));
    // By the clock of the function that created it.
    let earliest = later(webhook.requested_at, -MARGIN - CLOCK_SKEW);
    let wrong = match order {
        None => "is about no order",
        Some(order) if order.details.customer.id.as_str() != customer => "is about another customer's order",
        Some(order)
            if serde_json::to_value(order.details.total).ok().as_ref() != payload.pointer("/data/total") =>
        {
            "has another total than the order"
        }
        _ if !webhook.events.is_empty() && !webhook.events.contains(&kind) => "is of another type",
        _ if text("/timestamp").parse().is_ok_and(|time: jiff::Timestamp| time < earliest) => {
            "is about an event before the subscription"
        }
        _ if !is_signed(webhook, request) => "is not signed with the secret of the webhook",
        _ => return None,
    };
    Some(format!("a webhook for {} {wrong}: {id}, {kind}, {payload}", webhook.partner))
}

/// Whether the signature of a request is valid; true if the partner never got its secret.
fn is_signed(webhook: &Known, request: &Received) -> bool {
    let Some((_, secret, _)) = &webhook.created else { return true };
    let secret: Option<SigningSecret> = serde_json::from_value(secret.clone()).ok();
    let expected = secret.and_then(|secret| secret.sign(&request.id, request.timestamp, &request.body).ok());
    expected.as_ref() == Some(&request.signature)
}

/// Each event has one id at each receiver, and each id one event.
fn check_ids(received: &[Received]) -> Vec<String> {
    let mut bodies: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    let mut ids: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    let mut violations = Vec::new();
    for request in received {
        let (url, id, body) = (request.url.as_str(), request.id.as_str(), request.body.as_str());
        if *bodies.entry((url, id)).or_insert(body) != body || *ids.entry((url, body)).or_insert(id) != id {
            violations.push(format!("an event has another id, or an id another event: {id}, {body}"));
        }
    }
    violations
}

/// No late replay sends a webhook again. It may send one for the first time: the event was handled while its webhook
/// was disabled, or shortly before it was created.
fn check_replays(world: &World, received: &[Received]) -> Vec<String> {
    let end = later(world.sim.began_at(), MAX_DURATION);
    let (in_time, late): (Vec<_>, Vec<_>) = received.iter().partition(|request| request.at < end);
    let in_time: BTreeSet<&str> = in_time.into_iter().map(|request| request.id.as_str()).collect();
    let repeated = late.into_iter().filter(|request| in_time.contains(request.id.as_str()));
    repeated.map(|request| format!("{} was sent again at {}", request.id, request.at)).collect()
}

/// The type of the last event of an order with this status, and the one that every order has.
fn expected_types(status: OrderStatus) -> impl Iterator<Item = &'static str> {
    let last = match status {
        OrderStatus::Paid => Some("payment.succeeded"),
        OrderStatus::PaymentFailed => Some("payment.failed"),
        OrderStatus::Rejected => Some("reservation.rejected"),
        OrderStatus::Cancelled | OrderStatus::Expired => Some("payment.voided"),
        OrderStatus::Placed | OrderStatus::Reserved | OrderStatus::Cancelling => None,
    };
    ["order.created"].into_iter().chain(last)
}

/// The deliveries of a webhook are what its receiver saw, and none is missing.
fn check_deliveries(
    world: &World,
    webhook: &Known,
    received: &[&Received],
    events: &[PartnerEvent],
    orders: &BTreeMap<OrderId, Order>,
) -> Vec<String> {
    let Some((id, _, created_at)) = &webhook.created else { return Vec::new() };
    let Ok(page) = now(Deliveries::list(&world.parts.partners.deliveries, *id, None, u32::MAX)) else {
        return Vec::new();
    };
    let accepted =
        |message: &str| received.iter().any(|request| request.id == message && request.is_accepted);
    let behavior = world.parts.partners.receivers.behavior(&webhook.url);
    let mut violations = Vec::new();
    for delivery in &page.deliveries {
        let message = id.message_id(delivery.event_id());
        let is_exhausted = delivery.attempts_started >= MAX_ATTEMPTS;
        let wrong = match delivery.state {
            // An attempt of a webhook that is removed meanwhile is not repeated.
            DeliveryState::Pending if !webhook.is_changed => "is still pending",
            DeliveryState::Delivered if !accepted(&message) => {
                "is recorded as delivered, but was never accepted"
            }
            DeliveryState::Failed
                if !is_exhausted && !webhook.is_changed && behavior != Some(Behavior::IsGone) =>
            {
                "failed before its attempts were exhausted"
            }
            DeliveryState::Pending | DeliveryState::Delivered | DeliveryState::Failed => continue,
        };
        violations.push(format!("the delivery of {} to {} {wrong}", delivery.event.kind.name(), webhook.url));
    }
    // Later, the records of deliveries have expired.
    let are_kept = world.sim.now() < later(*created_at, MAX_EVENT_AGE);
    if !webhook.is_changed && behavior != Some(Behavior::IsGone) && are_kept {
        violations.extend(find_missing(world, webhook, received, &page.deliveries, events, orders));
    }
    violations
}

/// The events that a partner should have got, but has not: those of each order that it began to place after it had the
/// response to its subscription.
fn find_missing(
    world: &World,
    webhook: &Known,
    received: &[&Received],
    deliveries: &[Delivery],
    events: &[PartnerEvent],
    orders: &BTreeMap<OrderId, Order>,
) -> Vec<String> {
    let Some((_, _, created_at)) = &webhook.created else { return Vec::new() };
    let placed = lock(&world.parts.partners.placed).clone();
    let is_due = |order: &&Order| {
        let customer = order.details.customer.id.as_str();
        customer.split_once('.').is_some_and(|(partner, _)| partner == webhook.partner)
            && placed.get(&order.id).is_some_and(|began_at| began_at >= created_at)
    };
    let is_done = |order: &Order, kind: &str| {
        let id = order.id.to_string();
        received.iter().any(|request| {
            let payload = &request.payload;
            request.is_accepted && payload["type"] == kind && payload["data"]["order_id"] == id.as_str()
        }) || deliveries.iter().any(|delivery| {
            let event = &delivery.event;
            event.order_id == order.id && event.kind.name() == kind && delivery.state == DeliveryState::Failed
        })
    };
    let mut missing = Vec::new();
    for order in orders.values().filter(is_due) {
        let on_bus = events.iter().filter(|event| event.order_id == order.id).map(|event| event.kind.name());
        let kinds: BTreeSet<&str> = expected_types(order.status()).chain(on_bus).collect();
        let wanted =
            kinds.into_iter().filter(|kind| webhook.events.is_empty() || webhook.events.contains(kind));
        for kind in wanted.filter(|kind: &&str| !is_done(order, kind)) {
            missing.push(format!("{} did not get {kind} of order {}", webhook.url, order.id));
        }
    }
    missing
}
