//! `deliver-webhook`: what is sent, to whom, and how often.

use domain::Fact;
use domain::event::{PaymentVoided, ReservationConfirmed};
use domain::payment::VoidReason;
use http::StatusCode;
use jiff::SignedDuration;
use partners::signature::SigningSecret;
use platform::{EventHandler, Failure};
use serde_json::{Value, json};

use crate::support::{Service, URL, committed, declined, order, rejected, wish};

#[tokio::test]
async fn an_event_is_sent_signed_and_thin() {
    let service = Service::new();
    let answer = service.subscribe("key-1", &json!({"url": URL})).await;
    let event = service.paid();
    assert_eq!(service.deliver(&event).await.unwrap(), vec![]);
    let [request] = service.receivers.requests().try_into().unwrap();
    assert_eq!((request.method().as_str(), request.uri().to_string().as_str()), ("POST", URL));
    let header = |name: &str| request.headers()[name].to_str().unwrap();
    let body = std::str::from_utf8(request.body()).unwrap();
    let secret: SigningSecret = serde_json::from_value(answer.body["secret"].clone()).unwrap();
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

    let delivery = service.delivery(&format!("/webhooks/{}", answer.id()), &event).await;
    let expected = json!({
        "id": header("webhook-id"), "event_id": event.id, "event_type": "payment.succeeded", "order_id": event.subject,
        "state": "delivered", "attempts": [{"at": "2026-11-23T10:15:30Z", "status": 200}], "next_attempt_at": null,
        "created_at": "2026-11-23T10:15:30Z",
    });
    assert_eq!(delivery, expected);
}

#[tokio::test]
async fn reasons_and_shortages_are_told_where_there_are_any() {
    let service = Service::new();
    service.subscribed("key-1").await;
    let voided = Fact::PaymentVoided(PaymentVoided {
        order: order("client1.42"),
        reason: VoidReason::CustomerRequest,
    });
    let confirmed = Fact::ReservationConfirmed(ReservationConfirmed { order: order("client1.42") });
    for fact in [wish(), rejected(), declined(), voided, confirmed] {
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
async fn who_ordered_is_neither_sent_nor_kept() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    let event = service.paid();
    service.deliver(&event).await.unwrap();
    service.resend(&webhook, &event).await;
    let kept = serde_json::to_string(&service.queue.sent()).unwrap();
    let sent = String::from_utf8(service.receivers.requests()[0].body().to_vec()).unwrap();
    for text in [kept, sent] {
        assert!(!text.contains("Ada") && !text.contains("ada@") && !text.contains("pm_card"), "{text}");
    }
}

#[tokio::test]
async fn an_event_goes_to_those_who_want_it_alone() {
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
async fn the_shops_own_customers_cost_no_call() {
    let service = Service::new();
    service.partners.failures.fail_next(1);
    service.deliver(&service.created("cust-1")).await.unwrap();
    assert!(matches!(service.deliver(&service.created("client1.42")).await, Err(Failure::Retry(_))));
}

#[tokio::test]
async fn what_happened_before_is_not_sent() {
    let service = Service::new();
    let before = service.paid();
    service.clock.advance(SignedDuration::from_mins(1));
    service.subscribed("key-1").await;
    service.deliver(&before).await.unwrap();
    assert!(service.receivers.requests().is_empty());
}

#[tokio::test]
async fn an_event_without_an_order_is_none_for_partners() {
    let service = Service::new();
    let failure = service.deliver(&service.event(committed())).await.unwrap_err();
    assert!(matches!(failure, Failure::Poison(_)), "{failure}");
}

#[tokio::test]
async fn a_message_that_comes_again_is_sent_once() {
    let service = Service::new();
    service.subscribed("key-1").await;
    let (paid, created) = (service.paid(), service.created("client1.42"));
    for event in [&paid, &created, &paid, &paid, &created] {
        service.deliver(event).await.unwrap();
        service.clock.advance(SignedDuration::from_hours(20));
    }
    assert_eq!(service.receivers.requests().len(), 2);
    // So late that what was sent may be forgotten.
    service.clock.advance(SignedDuration::from_hours(28 * 24));
    service.deliver(&service.created("client1.43")).await.unwrap();
    assert_eq!(service.receivers.requests().len(), 2, "the same order and type is the same event");
    service.deliver(&created).await.unwrap();
    assert_eq!(service.receivers.requests().len(), 2);
}

#[tokio::test]
async fn two_messages_at_once_are_sent_once() {
    let service = Service::new();
    service.subscribed("key-1").await;
    let event = service.paid();
    let (one, other) = (service.function(), service.function());
    let (one, other) = tokio::join!(one.handle(&event), other.handle(&event));
    assert!(one.is_ok() || other.is_ok());
    assert_eq!(service.receivers.requests().len(), 1);
}

#[tokio::test]
async fn what_is_refused_is_sent_again_later_each_time_until_it_is_taken() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    service.receivers.answer([Some(StatusCode::INTERNAL_SERVER_ERROR), None, Some(StatusCode::FOUND)]);
    let event = service.paid();
    let start = service.now();
    service.deliver_to_the_end(&event).await;
    let delivery = service.delivery(&webhook, &event).await;
    assert_eq!(delivery["state"], json!("delivered"));
    let at = |seconds: i64| (start + SignedDuration::from_secs(seconds)).to_string();
    let expected = json!([
        {"at": at(0), "status": 500, "error": "answered 500"},
        {"at": at(4), "error": "no connection"},
        {"at": at(28), "status": 302, "error": "answered 302"},
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

#[tokio::test]
async fn it_is_given_up_after_a_day_and_is_no_dead_letter() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    service.receivers.answer([None; 10]);
    let event = service.paid();
    let start = service.now();
    service.deliver_to_the_end(&event).await;
    let delivery = service.delivery(&webhook, &event).await;
    assert_eq!((&delivery["state"], &delivery["next_attempt_at"]), (&json!("failed"), &json!(null)));
    assert_eq!(delivery["attempts"].as_array().unwrap().len(), 10);
    let took = service.now().duration_since(start);
    assert!(took > SignedDuration::from_hours(33) && took < SignedDuration::from_hours(42), "{took}");
    service.deliver(&event).await.unwrap();
    assert_eq!(service.receivers.requests().len(), 10);
}

#[tokio::test]
async fn one_who_fails_does_not_hold_up_the_others() {
    let service = Service::new();
    let one = service.subscribed("key-1").await;
    let other = service.subscribed("key-2").await;
    service.receivers.answer([None]);
    let event = service.paid();
    assert!(matches!(service.deliver(&event).await, Err(Failure::Leased { .. })));
    let states = [service.delivery(&one, &event).await, service.delivery(&other, &event).await];
    assert_eq!([&states[0]["state"], &states[1]["state"]], [&json!("pending"), &json!("delivered")]);
    service.deliver_to_the_end(&event).await;
    assert_eq!(service.receivers.requests().len(), 3);
}

/// The crash that cannot be told from a success: it was sent, and nobody could write that down.
#[tokio::test]
async fn a_crash_between_sending_and_noting_it_down_sends_again_with_the_same_id() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    let event = service.paid();
    {
        let crashing = partners::deliver::DeliverWebhook {
            client: std::sync::Arc::new(NeverReturns(service.receivers.clone())),
            ..service.function()
        };
        let run = crashing.handle(&event);
        assert!(tokio::time::timeout(std::time::Duration::from_millis(50), run).await.is_err());
    }
    let Err(Failure::Leased { until }) = service.deliver(&event).await else { panic!("the lease lasts") };
    assert_eq!(until.duration_since(service.now()), SignedDuration::from_secs(45));
    service.deliver_to_the_end(&event).await;
    let requests = service.receivers.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].headers()["webhook-id"], requests[1].headers()["webhook-id"]);
    assert_eq!(service.delivery(&webhook, &event).await["state"], json!("delivered"));
}

/// Takes the request, and never answers.
struct NeverReturns(std::sync::Arc<partners::adapters::memory::InMemoryReceivers>);

#[async_trait::async_trait]
impl platform::http::client::HttpClient for NeverReturns {
    async fn send(
        &self,
        request: http::Request<bytes::Bytes>,
    ) -> Result<http::Response<bytes::Bytes>, platform::http::client::NoResponse> {
        self.0.send(request).await?;
        std::future::pending().await
    }
}

/// A receiver that kills the function each time is given up, too.
#[tokio::test]
async fn attempts_that_never_end_count() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    let event = service.paid();
    let crashing = partners::deliver::DeliverWebhook {
        client: std::sync::Arc::new(NeverReturns(service.receivers.clone())),
        ..service.function()
    };
    for _ in 0..10 {
        assert!(
            tokio::time::timeout(std::time::Duration::from_millis(5), crashing.handle(&event)).await.is_err()
        );
        service.clock.advance(SignedDuration::from_secs(46));
    }
    service.deliver(&event).await.unwrap();
    assert_eq!(service.receivers.requests().len(), 10);
    assert_eq!(service.delivery(&webhook, &event).await["state"], json!("failed"));
}

#[tokio::test]
async fn tables_that_do_not_answer_bring_it_back() {
    let service = Service::new();
    service.subscribed("key-1").await;
    let event = service.paid();
    service.deliveries.write_failures.fail_next(1);
    assert!(matches!(service.deliver(&event).await, Err(Failure::Retry(_))));
    assert!(service.receivers.requests().is_empty(), "nothing is sent before it is written that it will be");
    service.deliveries.conflicts.fail_next(4);
    service.deliver(&event).await.unwrap();
    assert_eq!(service.receivers.requests().len(), 1);
}
