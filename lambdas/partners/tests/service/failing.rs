//! Receivers that keep failing: their webhook is disabled, and late attempts do not undo changes by the
//! partner.

use domain::Event;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use partners::store::Partners;
use partners::webhook::{AttemptResult, WebhookId};
use serde_json::{Value, json};

use crate::support::{PARTNER, Service, order_id, rejected};

const FIVE_DAYS: SignedDuration = SignedDuration::from_hours(5 * 24);

/// Creates a different event for each number.
fn event(service: &Service, number: u128) -> Event {
    let template = service.event(rejected());
    Event::new(order_id(number), template.fact, template.time, template.cause)
}

async fn disabled(service: &Service, webhook: &str) -> Value {
    service.get(webhook).await.body["disabled"]["reason"].clone()
}

#[tokio::test]
async fn after_five_days_of_failures_a_webhook_is_disabled_until_it_is_enabled_again() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    service.receivers.respond_with(vec![None; 60]);
    let start = service.now();
    let mut number = 0;
    while disabled(&service, &webhook).await.is_null() {
        number += 1;
        assert!(
            service.now().duration_since(start) < SignedDuration::from_hours(8 * 24),
            "it is never disabled"
        );
        service.deliver_until_final(&event(&service, number)).await;
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
    // The first failure afterwards starts a new period of five days.
    service.deliver(&event(&service, 1001)).await.unwrap_err();
    assert!(disabled(&service, &webhook).await.is_null());
}

#[tokio::test]
async fn a_pending_delivery_of_a_disabled_webhook_fails() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    service.receivers.respond_with([None]);
    let waiting = event(&service, 1);
    service.deliver(&waiting).await.unwrap_err();
    service.patch(&webhook, &json!({"enabled": false})).await;
    service.deliver(&waiting).await.unwrap();
    let delivery = service.delivery(&webhook, &waiting).await;
    assert_eq!((&delivery["state"], delivery["attempts"].as_array().unwrap().len()), (&json!("failed"), 1));
}

#[tokio::test]
async fn a_receiver_that_responds_with_gone_is_disabled_immediately() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    service.receivers.respond_with([Some(StatusCode::GONE)]);
    let event = event(&service, 1);
    service.deliver(&event).await.unwrap();
    assert_eq!(disabled(&service, &webhook).await, json!("gone"));
    assert_eq!(service.delivery(&webhook, &event).await["state"], json!("failed"));
}

#[tokio::test]
async fn a_successful_attempt_resets_the_health() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    service.receivers.respond_with([None]);
    service.deliver_until_final(&event(&service, 1)).await;
    assert_eq!(service.get(&webhook).await.body.get("failing_since"), None);
}

/// Results of late attempts, in every order.
#[tokio::test]
async fn a_late_attempt_changes_nothing() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    let id: WebhookId = webhook.trim_start_matches("/webhooks/").parse().unwrap();
    let created = service.partners.get(&PARTNER.parse().unwrap()).await.unwrap().value;
    let start = service.now();
    let at = |minutes: i64| start + SignedDuration::from_mins(minutes);

    // A failure that started before a success that is already recorded.
    let mut healthy = created.clone();
    assert!(healthy.record_attempt(id, at(1), AttemptResult::Failed, at(1), FIVE_DAYS));
    assert!(healthy.record_attempt(id, at(5), AttemptResult::Succeeded, at(5), FIVE_DAYS));
    assert!(!healthy.record_attempt(id, at(4), AttemptResult::Failed, at(6), FIVE_DAYS), "a late failure");
    assert!(!healthy.record_attempt(id, at(4), AttemptResult::Gone, at(6), FIVE_DAYS), "a late 410");
    assert_eq!(healthy.get(id).unwrap().failing_since, None);

    // A success that started before the first failure.
    assert!(healthy.record_attempt(id, at(10), AttemptResult::Failed, at(10), FIVE_DAYS));
    assert!(
        !healthy.record_attempt(id, at(9), AttemptResult::Succeeded, at(11), FIVE_DAYS),
        "a late success"
    );
    assert_eq!(healthy.get(id).unwrap().failing_since, Some(at(10)));

    // A failure that started before the partner enabled the webhook again.
    let mut gone = created.clone();
    assert!(gone.record_attempt(id, at(1), AttemptResult::Gone, at(1), FIVE_DAYS));
    let enable = partners::webhook::Change { enabled: Some(true), ..Default::default() };
    assert!(gone.change(id, &enable, at(2)).unwrap().disabled.is_none());
    assert!(!gone.record_attempt(id, at(1), AttemptResult::Gone, at(3), FIVE_DAYS));
    assert!(gone.get(id).unwrap().disabled.is_none());

    // And one of a webhook that no longer exists.
    assert!(gone.remove(id) && !gone.record_attempt(id, at(5), AttemptResult::Failed, at(6), FIVE_DAYS));
}

/// An attempt that pauses for longer than its lease finds that another has taken over.
#[tokio::test]
async fn a_delayed_attempt_does_not_overwrite_its_successor() {
    use partners::delivery::{Delivery, DeliveryState, NextAction, Outcome};
    use partners::event::PartnerEvent;
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
    let stored = PartnerEvent::from_event(&event).unwrap();
    let NextAction::Attempt(claimed) = Delivery::new(id, stored, run.now).next_action(true, &run) else {
        panic!()
    };
    let delayed = service.deliveries.write(None, &claimed).await.unwrap().unwrap();
    service.clock.advance(SignedDuration::from_secs(46));
    service.deliver(&event).await.unwrap();
    let after = delayed.value.with_outcome(
        run.now,
        &Outcome::Rejected(500),
        service.now(),
        std::time::Duration::ZERO,
    );
    assert_eq!(service.deliveries.write(Some(&delayed), &after).await.unwrap(), None);
    let found = service.deliveries.get(id, event.id).await.unwrap().unwrap();
    assert_eq!(found.value.state, DeliveryState::Delivered);
}
