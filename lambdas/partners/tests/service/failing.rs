//! Receivers that fail for long: their subscription is disabled, and nobody undoes what its owner did since.

use domain::Event;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use partners::store::Partners;
use partners::webhook::{Health, WebhookId};
use serde_json::{Value, json};

use crate::support::{PARTNER, Service, order_id, rejected};

const FIVE_DAYS: SignedDuration = SignedDuration::from_hours(5 * 24);

/// Another event for each number.
fn event(service: &Service, number: u128) -> Event {
    let made = service.event(rejected());
    Event::new(order_id(number), made.fact, made.time, made.cause)
}

async fn disabled(service: &Service, webhook: &str) -> Value {
    service.get(webhook).await.body["disabled"]["reason"].clone()
}

#[tokio::test]
async fn after_five_days_of_failure_nothing_is_sent_until_it_is_enabled_again() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    service.receivers.answer(vec![None; 60]);
    let start = service.now();
    let mut number = 0;
    while disabled(&service, &webhook).await.is_null() {
        number += 1;
        assert!(
            service.now().duration_since(start) < SignedDuration::from_hours(8 * 24),
            "it is never disabled"
        );
        service.deliver_to_the_end(&event(&service, number)).await;
    }
    assert_eq!(disabled(&service, &webhook).await, json!("failing"));
    assert!(service.now().duration_since(start) >= FIVE_DAYS);
    let failing_since: Timestamp =
        serde_json::from_value(service.get(&webhook).await.body["failing_since"].clone()).unwrap();
    assert_eq!(failing_since, start);

    let sent = service.receivers.requests().len();
    service.deliver(&event(&service, 1000)).await.unwrap();
    assert_eq!(service.receivers.requests().len(), sent, "nothing is sent");
    assert_eq!(service.resend(&webhook, &event(&service, 1)).await.problem(), (409, "webhook-disabled"));

    let enabled = service.patch(&webhook, &json!({"enabled": true})).await.body;
    assert_eq!((&enabled["enabled"], enabled.get("failing_since")), (&json!(true), None));
    // The first failure afterwards starts five days of its own.
    service.deliver(&event(&service, 1001)).await.unwrap_err();
    assert!(disabled(&service, &webhook).await.is_null());
}

#[tokio::test]
async fn what_waits_for_a_disabled_one_is_given_up() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    service.receivers.answer([None]);
    let waiting = event(&service, 1);
    service.deliver(&waiting).await.unwrap_err();
    service.patch(&webhook, &json!({"enabled": false})).await;
    service.deliver(&waiting).await.unwrap();
    let delivery = service.delivery(&webhook, &waiting).await;
    assert_eq!((&delivery["state"], delivery["attempts"].as_array().unwrap().len()), (&json!("failed"), 1));
}

#[tokio::test]
async fn who_is_gone_is_disabled_at_once() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    service.receivers.answer([Some(StatusCode::GONE)]);
    let event = event(&service, 1);
    service.deliver(&event).await.unwrap();
    assert_eq!(disabled(&service, &webhook).await, json!("gone"));
    assert_eq!(service.delivery(&webhook, &event).await["state"], json!("failed"));
}

#[tokio::test]
async fn one_that_arrives_starts_it_all_afresh() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    service.receivers.answer([None]);
    service.deliver_to_the_end(&event(&service, 1)).await;
    assert_eq!(service.get(&webhook).await.body.get("failing_since"), None);
}

/// What late writers have to say, in every order.
#[tokio::test]
async fn a_late_attempt_undoes_nothing() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    let id: WebhookId = webhook.trim_start_matches("/webhooks/").parse().unwrap();
    let made = service.partners.get(&PARTNER.parse().unwrap()).await.unwrap().value;
    let start = service.now();
    let at = |minutes: i64| start + SignedDuration::from_mins(minutes);

    // A failure that began before a success that is already known.
    let mut healthy = made.clone();
    assert!(healthy.note(id, at(1), Health::Failed, at(1), FIVE_DAYS));
    assert!(healthy.note(id, at(5), Health::Arrived, at(5), FIVE_DAYS));
    assert!(!healthy.note(id, at(4), Health::Failed, at(6), FIVE_DAYS), "a late failure");
    assert!(!healthy.note(id, at(4), Health::Gone, at(6), FIVE_DAYS), "a late farewell");
    assert_eq!(healthy.get(id).unwrap().failing_since, None);

    // A success that began before the first failure.
    assert!(healthy.note(id, at(10), Health::Failed, at(10), FIVE_DAYS));
    assert!(!healthy.note(id, at(9), Health::Arrived, at(11), FIVE_DAYS), "a late success");
    assert_eq!(healthy.get(id).unwrap().failing_since, Some(at(10)));

    // A failure that began before the owner enabled it again.
    let mut gone = made.clone();
    assert!(gone.note(id, at(1), Health::Gone, at(1), FIVE_DAYS));
    let enable = partners::webhook::Change { enabled: Some(true), ..Default::default() };
    assert!(gone.change(id, &enable, at(2)).unwrap().disabled.is_none());
    assert!(!gone.note(id, at(1), Health::Gone, at(3), FIVE_DAYS));
    assert!(gone.get(id).unwrap().disabled.is_none());

    // And one about a subscription that is no longer there.
    assert!(gone.remove(id) && !gone.note(id, at(5), Health::Failed, at(6), FIVE_DAYS));
}

/// A run that stood still for longer than its lease lasts finds that another has taken over.
#[tokio::test]
async fn a_zombie_does_not_write_over_its_successor() {
    use partners::delivery::{Delivery, DeliveryState, Next, Outcome};
    use partners::store::Deliveries;
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    let id: WebhookId = webhook.trim_start_matches("/webhooks/").parse().unwrap();
    let event = event(&service, 1);
    let run = domain::Attempt {
        owner: uuid::Uuid::from_u128(1),
        now: service.now(),
        lease_duration: SignedDuration::from_secs(45),
    };
    let Next::Attempt(claimed) = Delivery::new(id, event.clone(), run.now).next(true, &run) else { panic!() };
    let zombie = service.deliveries.write(None, &claimed).await.unwrap().unwrap();
    service.clock.advance(SignedDuration::from_secs(46));
    service.deliver(&event).await.unwrap();
    let after = zombie.value.after(run.now, &Outcome::Refused(500), service.now(), std::time::Duration::ZERO);
    assert_eq!(service.deliveries.write(Some(&zombie), &after).await.unwrap(), None);
    let found = service.deliveries.get(id, event.id).await.unwrap().unwrap();
    assert_eq!(found.value.state, DeliveryState::Delivered);
}
