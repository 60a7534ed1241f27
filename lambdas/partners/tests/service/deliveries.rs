//! Reading deliveries, and redelivering events.

use domain::Event;
use http::StatusCode;
use jiff::SignedDuration;
use partners::deliver::DeliverWebhook;
use serde_json::json;

use crate::deliver::NeverResponds;
use crate::support::{Service, cancellation_requested, committed, handle, order_id};

#[tokio::test]
async fn deliveries_are_listed_in_pages_newest_first() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    let mut sent = Vec::new();
    for number in 0..5 {
        let template = service.event(cancellation_requested());
        let event = Event::new(order_id(number), template.fact, template.time, template.cause);
        service.deliver(&event).await.unwrap();
        sent.insert(0, event.id.to_string());
        service.clock.advance(SignedDuration::from_secs(1));
    }
    let (mut path, mut found) = (format!("{webhook}/deliveries?limit=2"), Vec::new());
    loop {
        let page = service.get(&path).await.body;
        let ids = page["deliveries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|delivery| delivery["event_id"].as_str().unwrap().to_owned());
        found.extend(ids);
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("{webhook}/deliveries?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(found, sent);
}

#[tokio::test]
async fn a_delivered_event_is_redelivered_with_the_same_id() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    let event = service.paid();
    service.deliver(&event).await.unwrap();
    let response = service.resend(&webhook, &event).await;
    assert_eq!((response.status, &response.body["state"]), (StatusCode::ACCEPTED, &json!("pending")));
    let [redelivered] = service.queue.sent().try_into().unwrap();
    service.deliver(&redelivered).await.unwrap();
    let requests = service.receivers.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].body(), requests[1].body());
    assert_eq!(requests[0].headers()["webhook-id"], requests[1].headers()["webhook-id"]);
    let delivery = service.delivery(&webhook, &event).await;
    assert_eq!(
        (&delivery["state"], delivery["attempts"].as_array().unwrap().len()),
        (&json!("delivered"), 2)
    );
}

#[tokio::test]
async fn a_failed_delivery_gets_all_attempts_again() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    service.receivers.respond_with([None; 19]);
    let event = service.paid();
    service.deliver_until_final(&event).await;
    service.resend(&webhook, &event).await;
    service.deliver_until_final(&service.queue.sent()[0]).await;
    let delivery = service.delivery(&webhook, &event).await;
    assert_eq!(
        (&delivery["state"], delivery["attempts"].as_array().unwrap().len()),
        (&json!("delivered"), 20)
    );
}

#[tokio::test]
async fn a_redelivery_request_for_a_pending_delivery_has_no_effect() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    service.receivers.respond_with([None]);
    let event = service.paid();
    service.deliver(&event).await.unwrap_err();
    let before = service.delivery(&webhook, &event).await;
    let response = service.resend(&webhook, &event).await;
    assert_eq!((response.status, response.body), (StatusCode::ACCEPTED, before));
    assert!(service.queue.sent().is_empty(), "its message is redelivered anyway");
}

#[tokio::test]
async fn a_redelivery_request_during_an_attempt_sends_a_message_only_once_its_lease_has_expired() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    let event = service.paid();
    let client = std::sync::Arc::new(NeverResponds(service.receivers.clone()));
    let crashing = DeliverWebhook { client, ..service.function() };
    let attempt = handle(&crashing, &event);
    assert!(tokio::time::timeout(std::time::Duration::from_millis(50), attempt).await.is_err());
    for (wait, messages) in [(44, 0), (1, 1)] {
        service.clock.advance(SignedDuration::from_secs(wait));
        assert_eq!(service.resend(&webhook, &event).await.status, StatusCode::ACCEPTED);
        assert_eq!(service.queue.sent().len(), messages, "{wait}");
    }
}

/// If the message could not be sent to the queue, a repeated request sends it.
#[tokio::test]
async fn a_redelivery_request_that_failed_can_be_retried() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    let event = service.paid();
    service.deliver(&event).await.unwrap();
    service.queue.failures.fail_next(1);
    assert_eq!(service.resend(&webhook, &event).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(service.resend(&webhook, &event).await.status, StatusCode::ACCEPTED);
    assert_eq!(service.resend(&webhook, &event).await.status, StatusCode::ACCEPTED);
    for event in service.queue.sent() {
        service.deliver(&event).await.unwrap();
    }
    assert_eq!(service.receivers.requests().len(), 2, "the number of messages does not matter");
}

#[tokio::test]
async fn a_redelivery_goes_only_to_the_requested_webhook() {
    let service = Service::new();
    let one = service.subscribed("key-1").await;
    service.subscribed("key-2").await;
    let event = service.paid();
    service.deliver(&event).await.unwrap();
    service.resend(&one, &event).await;
    service.deliver(&service.queue.sent()[0]).await.unwrap();
    assert_eq!(service.receivers.requests().len(), 3);
}

#[tokio::test]
async fn unknown_and_old_deliveries_cannot_be_redelivered() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    let event = service.paid();
    assert_eq!(service.resend(&webhook, &service.event(committed())).await.problem(), (404, "not-found"));
    service.deliver(&event).await.unwrap();
    service.clock.advance(SignedDuration::from_hours(29 * 24));
    assert_eq!(service.resend(&webhook, &event).await.problem(), (409, "event-too-old"));
}
