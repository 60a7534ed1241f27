//! `deliver-webhook`: what is sent, to which receivers, and how often.

use domain::fact::{PaymentVoided, ReservationConfirmed};
use domain::{Fact, VoidReason};
use http::StatusCode;
use jiff::SignedDuration;
use partners::delivery::RETENTION;
use partners::signature::SigningSecret;
use platform::Failure;
use serde_json::{Value, json};

use crate::support::{Service, URL, cancellation_requested, committed, declined, handle, order, rejected};

#[tokio::test]
async fn an_event_is_signed_and_contains_no_personal_data() {
    let service = Service::new();
    let response = service.subscribe("key-1", &json!({"url": URL})).await;
    let event = service.paid();
    assert_eq!(service.deliver(&event).await.unwrap(), vec![]);
    let [request] = service.receivers.requests().try_into().unwrap();
    assert_eq!((request.method().as_str(), request.uri().to_string().as_str()), ("POST", URL));
    let header = |name: &str| request.headers()[name].to_str().unwrap();
    let body = std::str::from_utf8(request.body()).unwrap();
    let secret: SigningSecret = serde_json::from_value(response.body["secret"].clone()).unwrap();
    let timestamp = service.now().as_second();
    assert_eq!(header("webhook-timestamp"), timestamp.to_string());
    assert_eq!(header("webhook-signature"), secret.sign(header("webhook-id"), timestamp, body).unwrap());
    assert_eq!(header("content-type"), "application/json");
    let expected = json!({
        "type": "payment.succeeded",
        "timestamp": "2026-11-23T10:15:30Z",
        "data": {"order_id": event.subject, "customer_id": "42", "total": {"amount": 2500, "currency": "EUR"}},
    });
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), expected);

    let delivery = service.delivery(&format!("/webhooks/{}", response.id()), &event).await;
    let expected = json!({
        "id": header("webhook-id"), "event_id": event.id, "event_type": "payment.succeeded", "order_id": event.subject,
        "state": "delivered", "attempts": [{"at": "2026-11-23T10:15:30Z", "status": 200}], "next_attempt_at": null,
        "created_at": "2026-11-23T10:15:30Z",
    });
    assert_eq!(delivery, expected);
}

#[tokio::test]
async fn reasons_and_shortages_are_included_if_there_are_any() {
    let service = Service::new();
    service.subscribed("key-1").await;
    let voided = Fact::PaymentVoided(PaymentVoided {
        order: order("client1.42"),
        reason: VoidReason::CustomerRequest,
    });
    let confirmed = Fact::ReservationConfirmed(ReservationConfirmed { order: order("client1.42") });
    for fact in [cancellation_requested(), rejected(), declined(), voided, confirmed] {
        service.deliver(&service.event(fact)).await.unwrap();
    }
    let data = |name: &str| -> Vec<Value> {
        let body =
            |request: &http::Request<bytes::Bytes>| serde_json::from_slice::<Value>(request.body()).unwrap();
        service.receivers.requests().iter().map(|request| body(request)["data"][name].clone()).collect()
    };
    let decline = json!({"code": "card_declined"});
    assert_eq!(
        data("reason"),
        [json!("expired"), json!(null), decline, json!("customer_request"), json!(null)]
    );
    assert_eq!(data("shortages")[1], json!([{"sku": "TEA-001", "kind": "out_of_stock", "available": 1}]));
}

#[tokio::test]
async fn personal_data_is_neither_sent_nor_stored() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    let voided =
        Fact::PaymentVoided(PaymentVoided { order: order("client1.42"), reason: VoidReason::Expired });
    for fact in [service.paid().fact, rejected(), declined(), voided, cancellation_requested()] {
        let event = service.event(fact);
        service.deliver(&event).await.unwrap();
        service.resend(&webhook, &event).await;
    }
    let stored = format!("{}{}", service.deliveries.to_json(), service.partners.to_json());
    let queued = serde_json::to_string(&service.queue.sent()).unwrap();
    let requests = service.receivers.requests();
    let sent: String = requests.iter().map(|request| String::from_utf8_lossy(request.body())).collect();
    let personal = ["Ada", "ada@", "1 High St", "London", "\"GB\"", "\"de\"", "pm_card"];
    for (place, text) in [("the tables", &stored), ("the queue", &queued), ("the requests", &sent)] {
        assert!(text.contains("order_id") || text.contains("client1.42"), "{place}: {text}");
        for value in personal {
            assert!(!text.contains(value), "{place} contain {value}: {text}");
        }
    }
}

#[tokio::test]
async fn an_event_is_sent_only_to_its_subscribers() {
    let service = Service::new();
    service.subscribe("key-1", &json!({"url": URL, "events": ["order.created"]})).await;
    service.deliver(&service.paid()).await.unwrap();
    for customer in ["cust-1", "client2.42", "client12.42", "client.42", "client1"] {
        service.deliver(&service.created(customer)).await.unwrap();
    }
    assert!(service.receivers.requests().is_empty());
    service.deliver(&service.created("client1.42")).await.unwrap();
    assert_eq!(service.receivers.requests().len(), 1);
}

#[tokio::test]
async fn customers_of_the_shop_cause_no_read() {
    let service = Service::new();
    service.partners.failures.fail_next(1);
    service.deliver(&service.created("cust-1")).await.unwrap();
    assert!(matches!(service.deliver(&service.created("client1.42")).await, Err(Failure::Retry(_))));
}

#[tokio::test]
async fn events_before_the_subscription_are_not_sent() {
    let service = Service::new();
    let before = service.paid();
    service.clock.advance(SignedDuration::from_mins(1));
    service.subscribed("key-1").await;
    service.deliver(&before).await.unwrap();
    assert!(service.receivers.requests().is_empty());
}

/// The clock of the function that placed an order may be behind by a quarter of a minute, and that of the function that
/// subscribed before may be ahead by as much.
#[tokio::test]
async fn an_event_that_seems_half_a_minute_older_than_the_subscription_is_sent() {
    for (older, requests) in [(SignedDuration::from_secs(30), 1), (SignedDuration::from_millis(30_001), 0)] {
        let service = Service::new();
        let event = service.paid();
        service.clock.advance(older);
        service.subscribed("key-1").await;
        service.deliver(&event).await.unwrap();
        assert_eq!(service.receivers.requests().len(), requests, "{older}");
    }
}

#[tokio::test]
async fn an_event_without_an_order_is_poison() {
    let service = Service::new();
    let failure = service.deliver(&service.event(committed())).await.unwrap_err();
    assert!(matches!(failure, Failure::Poison(_)), "{failure}");
}

#[tokio::test]
async fn a_redelivered_message_is_sent_once() {
    let service = Service::new();
    service.subscribed("key-1").await;
    let (paid, created) = (service.paid(), service.created("client1.42"));
    for event in [&paid, &created, &paid, &paid, &created] {
        service.deliver(event).await.unwrap();
        service.clock.advance(SignedDuration::from_hours(20));
    }
    assert_eq!(service.receivers.requests().len(), 2);
    service.deliver(&service.created("client1.43")).await.unwrap();
    assert_eq!(service.receivers.requests().len(), 2, "the same order and type is the same event");
}

#[tokio::test]
async fn a_message_that_is_redriven_after_the_record_was_deleted_is_not_sent_again() {
    let service = Service::new();
    service.subscribed("key-1").await;
    let paid = service.paid();
    service.deliver(&paid).await.unwrap();
    assert_eq!(service.receivers.requests().len(), 1);
    service.clock.advance(RETENTION);
    service.deliveries.remove_expired(service.now());
    assert_eq!(service.deliveries.to_json(), json!([]), "nothing is left to tell that it was sent");
    service.deliver(&paid).await.unwrap();
    assert_eq!(service.receivers.requests().len(), 1);
}

#[tokio::test]
async fn an_event_is_first_sent_up_to_28_days_late() {
    for (late, requests) in [(SignedDuration::ZERO, 1), (SignedDuration::from_secs(1), 0)] {
        let service = Service::new();
        service.subscribed("key-1").await;
        let paid = service.paid();
        service.clock.advance(SignedDuration::from_hours(28 * 24) + late);
        service.deliver(&paid).await.unwrap();
        assert_eq!(service.receivers.requests().len(), requests, "{late}");
    }
}

#[tokio::test]
async fn two_concurrent_messages_are_sent_once() {
    let service = Service::new();
    service.subscribed("key-1").await;
    let event = service.paid();
    let (one, other) = (service.function(), service.function());
    let (one, other) = tokio::join!(handle(&one, &event), handle(&other, &event));
    assert!(one.is_ok() || other.is_ok());
    assert_eq!(service.receivers.requests().len(), 1);
}

#[tokio::test]
async fn a_failed_attempt_is_retried_with_backoff_until_it_is_accepted() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    service.receivers.respond_with([Some(StatusCode::INTERNAL_SERVER_ERROR), None, Some(StatusCode::FOUND)]);
    let event = service.paid();
    let start = service.now();
    service.deliver_until_final(&event).await;
    let delivery = service.delivery(&webhook, &event).await;
    assert_eq!(delivery["state"], json!("delivered"));
    let at = |seconds: i64| (start + SignedDuration::from_secs(seconds)).to_string();
    let expected = json!([
        {"at": at(0), "status": 500, "error": "responded with 500"},
        {"at": at(4), "error": "no connection"},
        {"at": at(28), "status": 302, "error": "responded with 302"},
        {"at": at(172), "status": 200},
    ]);
    assert_eq!(delivery["attempts"], expected);
    let ids: Vec<String> = service
        .receivers
        .requests()
        .iter()
        .map(|request| request.headers()["webhook-id"].to_str().unwrap().to_owned())
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

/// An event that is published again has the same id, and may have a later time.
#[tokio::test]
async fn a_retry_after_a_republication_sends_the_recorded_body() {
    let service = Service::new();
    service.subscribed("key-1").await;
    service.receivers.respond_with([None]);
    let first = service.paid();
    assert!(matches!(service.deliver(&first).await, Err(Failure::Leased { .. })));
    service.clock.advance(SignedDuration::from_mins(1));
    let republished = service.paid();
    assert_eq!(republished.id, first.id);
    assert_ne!(republished.time, first.time);
    service.deliver(&republished).await.unwrap();
    let [failed, retried] = service.receivers.requests().try_into().unwrap();
    assert_eq!(failed.headers()["webhook-id"], retried.headers()["webhook-id"]);
    assert_eq!(failed.body(), retried.body());
}

#[tokio::test]
async fn a_message_that_arrives_before_the_next_attempt_is_due_waits() {
    let service = Service::new();
    service.subscribed("key-1").await;
    service.receivers.respond_with([None]);
    let event = service.paid();
    let Err(Failure::Leased { until }) = service.deliver(&event).await else { panic!("it is retried") };
    service.clock.advance(until.duration_since(service.now()) - SignedDuration::from_secs(1));
    let early = service.deliver(&event).await;
    assert!(matches!(early, Err(Failure::Leased { until: again }) if again == until), "{early:?}");
    assert_eq!(service.receivers.requests().len(), 1);
    service.clock.advance(SignedDuration::from_secs(1));
    service.deliver(&event).await.unwrap();
    assert_eq!(service.receivers.requests().len(), 2);
}

#[tokio::test]
async fn a_delivery_fails_after_ten_attempts_and_is_not_sent_to_the_dlq() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    service.receivers.respond_with([None; 10]);
    let event = service.paid();
    let start = service.now();
    service.deliver_until_final(&event).await;
    let delivery = service.delivery(&webhook, &event).await;
    assert_eq!((&delivery["state"], &delivery["next_attempt_at"]), (&json!("failed"), &json!(null)));
    assert_eq!(delivery["attempts"].as_array().unwrap().len(), 10);
    let duration = service.now().duration_since(start);
    assert!(
        duration > SignedDuration::from_hours(33) && duration < SignedDuration::from_hours(42),
        "{duration}"
    );
    service.deliver(&event).await.unwrap();
    assert_eq!(service.receivers.requests().len(), 10);
}

#[tokio::test]
async fn a_failing_receiver_does_not_delay_the_others() {
    let service = Service::new();
    let one = service.subscribed("key-1").await;
    let other = service.subscribed("key-2").await;
    service.receivers.respond_with([None]);
    let event = service.paid();
    assert!(matches!(service.deliver(&event).await, Err(Failure::Leased { .. })));
    let states = [service.delivery(&one, &event).await, service.delivery(&other, &event).await];
    assert_eq!([&states[0]["state"], &states[1]["state"]], [&json!("pending"), &json!("delivered")]);
    service.deliver_until_final(&event).await;
    assert_eq!(service.receivers.requests().len(), 3);
}

/// The crash that looks like a success to the receiver: the request was sent, and the outcome was not
/// recorded.
#[tokio::test]
async fn a_crash_between_sending_and_recording_sends_again_with_the_same_id() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    let event = service.paid();
    {
        let crashing = partners::deliver::DeliverWebhook {
            client: std::sync::Arc::new(NeverResponds(service.receivers.clone())),
            ..service.function()
        };
        let run = handle(&crashing, &event);
        assert!(tokio::time::timeout(std::time::Duration::from_millis(50), run).await.is_err());
    }
    let Err(Failure::Leased { until }) = service.deliver(&event).await else {
        panic!("the lease has not expired")
    };
    assert_eq!(until.duration_since(service.now()), SignedDuration::from_secs(45));
    service.deliver_until_final(&event).await;
    let requests = service.receivers.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].headers()["webhook-id"], requests[1].headers()["webhook-id"]);
    assert_eq!(service.delivery(&webhook, &event).await["state"], json!("delivered"));
}

/// Receives the request, and never responds.
pub(crate) struct NeverResponds(pub(crate) std::sync::Arc<partners::adapters::memory::InMemoryReceivers>);

#[async_trait::async_trait]
impl platform::http_client::HttpClient for NeverResponds {
    async fn send(
        &self,
        request: http::Request<bytes::Bytes>,
    ) -> Result<http::Response<bytes::Bytes>, platform::http_client::NoResponse> {
        self.0.send(request).await?;
        std::future::pending().await
    }
}

/// A delivery that crashes the function every time fails permanently too.
#[tokio::test]
async fn attempts_that_never_finish_count() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    let event = service.paid();
    let crashing = partners::deliver::DeliverWebhook {
        client: std::sync::Arc::new(NeverResponds(service.receivers.clone())),
        ..service.function()
    };
    for _ in 0..10 {
        assert!(
            tokio::time::timeout(std::time::Duration::from_millis(5), handle(&crashing, &event))
                .await
                .is_err()
        );
        service.clock.advance(SignedDuration::from_secs(46));
    }
    service.deliver(&event).await.unwrap();
    assert_eq!(service.receivers.requests().len(), 10);
    assert_eq!(service.delivery(&webhook, &event).await["state"], json!("failed"));
}

#[tokio::test]
async fn an_unavailable_table_is_retried() {
    let service = Service::new();
    service.subscribed("key-1").await;
    let event = service.paid();
    service.deliveries.write_failures.fail_next(1);
    assert!(matches!(service.deliver(&event).await, Err(Failure::Retry(_))));
    assert!(service.receivers.requests().is_empty(), "nothing is sent before the attempt is recorded");
    service.deliveries.conflicts.fail_next(4);
    service.deliver(&event).await.unwrap();
    assert_eq!(service.receivers.requests().len(), 1);
}
