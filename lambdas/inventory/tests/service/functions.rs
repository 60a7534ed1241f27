//! `reserve-inventory` and `settle-reservation`, with the inventory API.

use std::sync::Arc;

use domain::fact::{OrderCreated, PaymentFailed, PaymentSucceeded, PaymentVoided, ReservationConfirmed};
use domain::{Cause, DeclineReason, Event, Fact, OrderDetails, VoidReason};
use inventory::adapters::HttpInventory;
use inventory::client::Inventory;
use inventory::command::Command;
use inventory::reserve::ReserveInventory;
use inventory::settle::SettleReservation;
use jiff::{SignedDuration, Timestamp};
use platform::{Clock, EventHandler, Failure};
use serde_json::json;

use crate::support::{Service, lines, order_id};

fn inventory(service: &Service) -> Arc<dyn Inventory> {
    Arc::new(HttpInventory::new(service.clone(), "http://inventory/"))
}

fn reserve(service: &Service) -> ReserveInventory {
    ReserveInventory { inventory: inventory(service) }
}

fn settle(service: &Service) -> SettleReservation {
    SettleReservation { inventory: inventory(service) }
}

/// An order for two pieces of A.
fn details() -> OrderDetails {
    serde_json::from_value(json!({
        "customer": {"id": "cust-1", "name": "Ada", "email": "ada@example.com"},
        "lines": lines(&[("A", 2)]),
        "total": {"amount": 2500, "currency": "EUR"},
        "payment_method": "pm_card_visa",
        "placed_at": "2026-11-23T10:15:30Z",
    }))
    .unwrap()
}

fn event(fact: Fact) -> Event {
    let cause = Cause { correlation_id: "request-1".parse().unwrap(), causation_id: None, traceparent: None };
    Event::new(order_id(1), fact, Timestamp::UNIX_EPOCH, cause)
}

fn created() -> Event {
    event(Fact::OrderCreated(OrderCreated { order: details() }))
}
fn paid() -> Event {
    let (order, amount, payment_intent) = (details(), details().total, "pi_1".parse().ok());
    event(Fact::PaymentSucceeded(PaymentSucceeded { order, payment_intent, amount }))
}
fn failed() -> Event {
    let reason = DeclineReason { code: "card_declined".into(), decline_code: None };
    event(Fact::PaymentFailed(PaymentFailed { order: details(), reason }))
}
fn voided() -> Event {
    event(Fact::PaymentVoided(PaymentVoided { order: details(), reason: VoidReason::Expired }))
}

/// Handles an event, and returns the types of the resulting events.
async fn handle(handler: &impl EventHandler, cause: &Event) -> Vec<&'static str> {
    let events = handler.handle(cause).await.unwrap();
    for event in &events {
        assert_eq!((event.subject, event.cause.causation_id), (cause.subject, Some(cause.id)));
        assert_eq!(event.cause.correlation_id, cause.cause.correlation_id);
    }
    events.iter().map(|event| event.fact.name()).collect()
}

#[test]
fn each_event_causes_its_command() {
    let created = created();
    let Fact::OrderCreated(order) = &created.fact else { panic!("{created:?}") };
    assert_eq!(Command::of(&created.fact), Some(Command::Reserve(&order.order.lines)));
    assert_eq!(Command::of(&paid().fact), Some(Command::Commit));
    for unpaid in [failed(), voided()] {
        assert_eq!(Command::of(&unpaid.fact), Some(Command::Release));
    }
    let order = details();
    assert_eq!(Command::of(&Fact::ReservationConfirmed(ReservationConfirmed { order })), None);
}

#[tokio::test]
async fn an_available_order_is_confirmed_even_on_redelivery() {
    let service = Service::with_stock(&[("A", 5)]).await;
    let first = reserve(&service).handle(&created()).await.unwrap();
    let again = reserve(&service).handle(&created()).await.unwrap();
    assert_eq!((first[0].fact.name(), first[0].id), ("reservation.confirmed", again[0].id));
    assert_eq!(handle(&settle(&service), &paid()).await, ["reservation.committed"]);
    assert_eq!(handle(&reserve(&service), &created()).await, ["reservation.confirmed"]);
    assert_eq!(service.stock("A").await, [3, 0, 2]);
}

/// A partner's webhook is recognized by its id for 30 days, and then by the time of the event.
#[tokio::test]
async fn an_event_that_is_published_again_months_later_keeps_its_time() {
    let service = Service::with_stock(&[("A", 5)]).await;
    let handlers: [(Box<dyn EventHandler>, Event); 2] =
        [(Box::new(reserve(&service)), created()), (Box::new(settle(&service)), paid())];
    for (handler, event) in handlers {
        let first = handler.handle(&event).await.unwrap();
        assert_eq!(first[0].time, service.clock.now());
        service.clock.advance(SignedDuration::from_hours(100 * 24));
        assert_eq!(handler.handle(&event).await.unwrap(), first);
    }
    // The stock is sold now, and was reserved long before.
    let again = reserve(&service).handle(&created()).await.unwrap();
    assert_eq!((again[0].fact.name(), again[0].time), ("reservation.confirmed", Timestamp::UNIX_EPOCH));
}

#[tokio::test]
async fn an_unavailable_order_is_rejected_with_the_reason() {
    let service = Service::with_stock(&[("A", 1)]).await;
    let events = reserve(&service).handle(&created()).await.unwrap();
    let Fact::ReservationRejected(rejected) = &events[0].fact else { panic!("{events:?}") };
    assert_eq!((rejected.shortages[0].sku.as_str(), &rejected.order), ("A", &details()));
    // The order is voided because cancellation was requested. Nothing was reserved, so nothing is released.
    assert_eq!(handle(&settle(&service), &voided()).await, Vec::<&str>::new());
}

#[tokio::test]
async fn the_reservation_of_an_unpaid_order_is_released() {
    for outcome in [failed(), voided()] {
        let service = Service::with_stock(&[("A", 5)]).await;
        reserve(&service).handle(&created()).await.unwrap();
        for _ in 0..2 {
            assert_eq!(handle(&settle(&service), &outcome).await, ["reservation.released"]);
        }
        assert_eq!(service.stock("A").await, [5, 0, 0]);
    }
}

#[tokio::test]
async fn an_order_voided_before_it_arrives_publishes_no_event() {
    let service = Service::with_stock(&[("A", 5)]).await;
    assert_eq!(handle(&settle(&service), &voided()).await, ["reservation.released"]);
    assert_eq!(handle(&reserve(&service), &created()).await, Vec::<&str>::new());
}

#[tokio::test]
async fn a_payment_after_release_is_rejected() {
    let service = Service::with_stock(&[("A", 5)]).await;
    handle(&settle(&service), &voided()).await;
    let failure = settle(&service).handle(&paid()).await.unwrap_err();
    assert!(
        matches!(&failure, Failure::Reject(_)) && failure.to_string().contains("was charged"),
        "{failure}"
    );
}

#[tokio::test]
async fn failed_calls_are_retried() {
    let service = Service::with_stock(&[("A", 5)]).await;
    for lost in [&service.lost_requests, &service.lost_responses] {
        lost.fail_next(1);
        let failure = reserve(&service).handle(&created()).await.unwrap_err();
        assert!(matches!(failure, Failure::Retry(_)), "{failure}");
    }
    service.tables.inner.failures.fail_next(1);
    let failure = reserve(&service).handle(&created()).await.unwrap_err();
    assert!(matches!(&failure, Failure::Retry(_)) && failure.to_string().contains("503"), "{failure}");
    assert_eq!(handle(&reserve(&service), &created()).await, ["reservation.confirmed"]);
    assert_eq!(service.stock("A").await, [3, 2, 0]);
}

#[tokio::test]
async fn unexpected_events_are_poison() {
    let service = Service::new();
    assert!(matches!(reserve(&service).handle(&paid()).await, Err(Failure::Poison(_))));
    assert!(matches!(settle(&service).handle(&created()).await, Err(Failure::Poison(_))));
}
