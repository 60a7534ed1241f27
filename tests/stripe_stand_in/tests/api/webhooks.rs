//! Signed webhooks: the events, their retries, and that no API response waits for them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;

use crate::support::Api;

const SECRET: &str = "whsec_test";

/// The endpoint that receives the webhooks.
#[derive(Clone, Default)]
struct Receiver {
    received: Arc<Mutex<Vec<(String, String)>>>,
    responses: Arc<Mutex<VecDeque<StatusCode>>>,
    hangs: Arc<Mutex<bool>>,
}

async fn receive(State(receiver): State<Receiver>, request: Request) -> StatusCode {
    let signature = request.headers()["stripe-signature"].to_str().unwrap().to_owned();
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    receiver.received.lock().unwrap().push((signature, String::from_utf8(body.to_vec()).unwrap()));
    if *receiver.hangs.lock().unwrap() {
        std::future::pending::<()>().await;
    }
    receiver.responses.lock().unwrap().pop_front().unwrap_or(StatusCode::NO_CONTENT)
}

impl Receiver {
    /// Starts the endpoint and registers it with the stand-in.
    async fn start(api: &Api, mode: &str) -> Self {
        let receiver = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhooks/stripe", listener.local_addr().unwrap());
        let router = Router::new().fallback(receive).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let endpoint = json!({ "url": url, "secret": SECRET, "mode": mode });
        assert_eq!(control(api, Method::PUT, "webhook_endpoint", &endpoint).await, 204);
        receiver
    }

    /// Waits for `count` events, verifies their signatures, and returns them.
    async fn events(&self, count: usize) -> Vec<Value> {
        for _ in 0..400 {
            let received = self.received.lock().unwrap().clone();
            if received.len() >= count {
                return received.iter().map(|(signature, body)| verify(signature, body)).collect();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("waited for {count} webhooks, and received {:?}", self.received.lock().unwrap());
    }

    fn count(&self) -> usize {
        self.received.lock().unwrap().len()
    }
}

fn verify(signature: &str, body: &str) -> Value {
    let (time, v1) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{time}.{body}").as_bytes());
    assert_eq!(v1, hex::encode(mac.finalize().into_bytes()));
    serde_json::from_str(body).unwrap()
}

async fn control(api: &Api, method: Method, path: &str, body: &Value) -> u16 {
    let json = [("content-type", "application/json")];
    api.send(method, &format!("/_control/{path}"), &json, &body.to_string()).await.unwrap().status
}

async fn deliveries(api: &Api, order: &str) -> Vec<Value> {
    let path = format!("/_control/webhook_endpoint?order_id={order}");
    let shown = api.send(Method::GET, &path, &[], "").await.unwrap();
    assert!(!shown.text.contains(SECRET), "the secret is never returned");
    shown.body["deliveries"].as_array().unwrap().clone()
}

/// Waits until all deliveries for an order have this state, and returns the first.
async fn wait_for_state(api: &Api, order: &str, state: &str) -> Value {
    for _ in 0..400 {
        let all = deliveries(api, order).await;
        if !all.is_empty() && all.iter().all(|delivery| delivery["state"] == state) {
            return all[0].clone();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{order} did not become {state}: {:?}", deliveries(api, order).await);
}

#[tokio::test]
async fn payment_events_have_stripes_format() {
    let api = Api::start().await;
    let receiver = Receiver::start(&api, "normal").await;
    let id = api.create_intent("o-1", "pm_card_visa").await;
    let confirmed = api.confirm(&id).await;
    let event = &receiver.events(1).await[0];
    assert!(event["id"].as_str().unwrap().starts_with("evt_"));
    assert!(event["created"].as_i64().unwrap() > 1_700_000_000);
    assert_eq!(
        (&event["object"], &event["type"], &event["livemode"]),
        (&json!("event"), &json!("payment_intent.succeeded"), &json!(false))
    );
    for field in ["api_version", "pending_webhooks", "request"] {
        assert!(event.get(field).is_some(), "{field}");
    }
    assert_eq!(event["data"]["object"], confirmed.body, "the same object as in the API");
    assert_eq!(event["data"]["object"]["metadata"]["order_id"], "o-1");

    let declined = api.create_intent("o-2", "pm_card_visa_chargeDeclined").await;
    api.confirm(&declined).await;
    receiver.events(2).await;
    api.post(&format!("/v1/payment_intents/{declined}/cancel"), "").await;
    receiver.events(3).await;
    api.post("/v1/refunds", &format!("payment_intent={id}&amount=250")).await;
    let events = receiver.events(4).await;
    let event_types: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let later_types = ["payment_intent.payment_failed", "payment_intent.canceled", "charge.refunded"];
    assert_eq!(event_types[1..], later_types);
    assert_eq!(events[1]["data"]["object"]["last_payment_error"]["decline_code"], "generic_decline");
    let charge = &events[3]["data"]["object"];
    assert_eq!(
        (&charge["amount_refunded"], &charge["payment_intent"], &charge["metadata"]["order_id"]),
        (&json!(250), &json!(id), &json!("o-1"))
    );
    assert_eq!(wait_for_state(&api, "o-1", "delivered").await["attempts"], 1);
}

#[tokio::test]
async fn an_unacknowledged_event_is_retried_unchanged() {
    let api = Api::start().await;
    let receiver = Receiver::start(&api, "normal").await;
    receiver.responses.lock().unwrap().extend([StatusCode::SERVICE_UNAVAILABLE, StatusCode::BAD_REQUEST]);
    let id = api.create_intent("o-1", "pm_card_visa").await;
    api.confirm(&id).await;
    let events = receiver.events(3).await;
    assert!(events.iter().all(|event| *event == events[0]), "{events:?}");
    let delivery = wait_for_state(&api, "o-1", "delivered").await;
    assert_eq!((&delivery["attempts"], &delivery["last_status"]), (&json!(3), &json!(204)));
}

#[tokio::test]
async fn the_api_does_not_wait_for_an_unresponsive_endpoint() {
    let api = Api::start().await;
    let receiver = Receiver::start(&api, "normal").await;
    *receiver.hangs.lock().unwrap() = true;
    let id = api.create_intent("o-1", "pm_card_visa").await;
    let answered = tokio::time::timeout(Duration::from_secs(5), api.confirm(&id)).await.unwrap();
    assert_eq!(answered.status, 200);
    receiver.events(1).await;
    assert_eq!(deliveries(&api, "o-1").await[0]["state"], "pending");
}

#[tokio::test]
async fn a_webhook_can_arrive_before_a_delayed_response() {
    let api = Api::start().await;
    let receiver = Receiver::start(&api, "normal").await;
    let id = api.create_intent("o-1", "pm_card_visa").await;
    api.add_fault(
        json!({ "operation": "confirm", "effect": "after", "kind": "slow", "times": 1, "delay_ms": 60_000 }),
    )
    .await;
    let waiting = tokio::spawn({
        let (api, id) = (api.clone(), id.clone());
        async move { api.confirm(&id).await }
    });
    receiver.events(1).await;
    assert!(!waiting.is_finished());
}

#[tokio::test]
async fn events_can_be_held_and_sent_twice() {
    let api = Api::start().await;
    let receiver = Receiver::start(&api, "normal").await;
    assert_eq!(control(&api, Method::PUT, "webhook_modes/o-1", &json!({ "mode": "off" })).await, 204);
    assert_eq!(control(&api, Method::PUT, "webhook_modes/o-2", &json!({ "mode": "twice" })).await, 204);
    for order in ["o-1", "o-2"] {
        let id = api.create_intent(order, "pm_card_visa").await;
        api.confirm(&id).await;
    }
    let events = receiver.events(2).await;
    assert_eq!(events[0], events[1], "the event of the second order is sent twice");
    assert_eq!(events[0]["data"]["object"]["metadata"]["order_id"], "o-2");
    let held = deliveries(&api, "o-1").await.remove(0);
    assert_eq!((&held["state"], &held["attempts"]), (&json!("held"), &json!(0)));

    let event = held["event"].as_str().unwrap();
    assert_eq!(control(&api, Method::POST, &format!("webhooks/{event}/resend"), &json!({})).await, 202);
    assert_eq!(receiver.events(3).await[2]["id"], event);
    wait_for_state(&api, "o-1", "delivered").await;
    assert_eq!(control(&api, Method::POST, "webhooks/evt_none/resend", &json!({})).await, 404);
}

#[tokio::test]
async fn without_an_endpoint_nothing_is_sent() {
    let api = Api::start().await;
    let receiver = Receiver::start(&api, "off").await;
    assert_eq!(control(&api, Method::DELETE, "webhook_endpoint", &json!(null)).await, 204);
    let id = api.create_intent("o-1", "pm_card_visa").await;
    api.confirm(&id).await;
    assert!(deliveries(&api, "o-1").await.is_empty());
    assert_eq!(receiver.count(), 0);
    for (endpoint, why) in [
        (json!({ "url": "https://example.com", "secret": SECRET }), "http://"),
        (json!({ "url": "http://localhost:1", "secret": "secret" }), "whsec_"),
        (json!({ "url": "http://localhost:1", "secret": SECRET, "mode": "never" }), "mode"),
        (json!({ "url": "http://localhost:1" }), "secret"),
    ] {
        let json = [("content-type", "application/json")];
        let path = "/_control/webhook_endpoint";
        let reply = api.send(Method::PUT, path, &json, &endpoint.to_string()).await.unwrap();
        assert!(reply.status == 400 && reply.text.contains(why), "{endpoint}: {}", reply.text);
    }
}

#[tokio::test]
async fn an_unacknowledged_event_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    let first = crate::binary::Running::start(&state);
    // Nothing listens on this port yet.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let endpoint = json!({ "url": format!("http://127.0.0.1:{port}/"), "secret": SECRET });
    assert_eq!(control(&first.api, Method::PUT, "webhook_endpoint", &endpoint).await, 204);
    let id = first.api.create_intent("o-1", "pm_card_visa").await;
    first.api.confirm(&id).await;
    assert!(first.stop("-TERM").0);

    let receiver = Receiver::default();
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let router = Router::new().fallback(receive).with_state(receiver.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let second = crate::binary::Running::start(&state);
    assert_eq!(receiver.events(1).await[0]["data"]["object"]["id"], id.as_str());
    wait_for_state(&second.api, "o-1", "delivered").await;
}

#[tokio::test]
async fn every_change_of_the_status_has_its_event() {
    let api = Api::start().await;
    let receiver = Receiver::start(&api, "normal").await;
    let id = api.create_intent("o-1", "pm_card_processing").await;
    api.confirm(&id).await;
    let path = format!("payment_intents/{id}/status");
    for status in ["requires_payment_method", "requires_action", "requires_capture", "succeeded"] {
        assert_eq!(control(&api, Method::PUT, &path, &json!({ "status": status })).await, 204);
    }
    let other = api.create_intent("o-2", "pm_card_visa").await;
    let path = format!("payment_intents/{other}/status");
    assert_eq!(control(&api, Method::PUT, &path, &json!({ "status": "canceled" })).await, 204);
    let mut seen: Vec<(String, String)> = receiver
        .events(6)
        .await
        .iter()
        .map(|event| {
            [&event["type"], &event["data"]["object"]["status"]].map(|it| it.as_str().unwrap().to_owned())
        })
        .map(|[kind, status]| (kind, status))
        .collect();
    seen.sort();
    let expected = [
        ("payment_intent.amount_capturable_updated", "requires_capture"),
        ("payment_intent.canceled", "canceled"),
        ("payment_intent.payment_failed", "requires_payment_method"),
        ("payment_intent.processing", "processing"),
        ("payment_intent.requires_action", "requires_action"),
        ("payment_intent.succeeded", "succeeded"),
    ];
    assert_eq!(seen, expected.map(|(kind, status)| (kind.to_owned(), status.to_owned())));
}
