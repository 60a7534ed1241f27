//! Fault injection: each kind, before and after the effect.

use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{Api, intent_form};

async fn create_intent(api: &Api, order_id: &str) -> (String, String) {
    let id = api.create_intent(order_id, "pm_card_visa").await;
    let path = format!("/v1/payment_intents/{id}/confirm");
    (id, path)
}

#[tokio::test]
async fn a_500_before_the_effect_is_saved_under_the_key() {
    let api = Api::start().await;
    let (id, path) = create_intent(&api, "o-1").await;
    api.add_fault(json!({"operation": "confirm", "effect": "before", "kind": "http_500", "times": 1})).await;
    let failed = api.post_with_key(&path, "", "k").await;
    assert_eq!((failed.status, failed.at("/error/type")), (500, "api_error"));
    assert_eq!(api.status_of(&id).await, "requires_confirmation");

    let replayed = api.post_with_key(&path, "", "k").await;
    assert_eq!((replayed.status, replayed.header("idempotent-replayed")), (500, Some("true")));
    assert!(api.charges("o-1").await.is_empty());
    assert_eq!(api.post_with_key(&path, "", "a new key").await.status, 200);
}

#[tokio::test]
async fn a_500_after_the_effect_is_saved_although_the_money_was_captured() {
    let api = Api::start().await;
    let (id, path) = create_intent(&api, "o-1").await;
    api.add_fault(json!({"operation": "confirm", "effect": "after", "kind": "http_500", "times": 1})).await;
    assert_eq!(api.post_with_key(&path, "", "k").await.status, 500);
    assert_eq!(api.status_of(&id).await, "succeeded");
    assert_eq!(api.charges("o-1").await.len(), 1);

    assert_eq!(api.post_with_key(&path, "", "k").await.status, 500);
    let new_key = api.post_with_key(&path, "", "another").await;
    assert_eq!(new_key.at("/error/code"), "payment_intent_unexpected_state");
    assert_eq!(api.charges("o-1").await.len(), 1);
}

#[tokio::test]
async fn a_503_is_never_saved_and_after_the_effect_hides_the_response() {
    let api = Api::start().await;
    let (id, path) = create_intent(&api, "o-1").await;
    api.add_fault(json!({"operation": "confirm", "effect": "before", "kind": "http_503", "times": 1})).await;
    assert_eq!(api.post_with_key(&path, "", "k").await.status, 503);
    assert_eq!(api.status_of(&id).await, "requires_confirmation");

    api.add_fault(json!({"operation": "confirm", "effect": "after", "kind": "http_503", "times": 1})).await;
    assert_eq!(api.post_with_key(&path, "", "k").await.status, 503);
    assert_eq!(api.status_of(&id).await, "succeeded");
    let replayed = api.post_with_key(&path, "", "k").await;
    assert_eq!((replayed.status, replayed.at("/status")), (200, "succeeded"));
    assert_eq!(api.charges("o-1").await.len(), 1);
}

#[tokio::test]
async fn http_429_and_conflict_409_have_their_own_error_codes() {
    let api = Api::start().await;
    let (id, path) = create_intent(&api, "o-1").await;
    for (kind, status, code) in
        [("http_429", 429, "rate_limit"), ("conflict_409", 409, "idempotency_key_in_use")]
    {
        api.add_fault(json!({"operation": "confirm", "kind": kind, "times": 1})).await;
        let refused = api.post_with_key(&path, "", "k").await;
        assert_eq!((refused.status, refused.at("/error/code")), (status, code));
        assert_eq!(api.status_of(&id).await, "requires_confirmation");
    }
    assert_eq!(api.post_with_key(&path, "", "k").await.status, 200);
}

#[tokio::test]
async fn an_error_is_returned_verbatim_and_not_saved() {
    let api = Api::start().await;
    let (id, path) = create_intent(&api, "o-1").await;
    let error = json!({"type": "invalid_request_error", "message": "No."});
    for (status, sent) in [(json!(null), 400), (json!(404), 404)] {
        api.add_fault(
            json!({"operation": "confirm", "kind": "error", "status": status, "error": error, "times": 1}),
        )
        .await;
        let refused = api.post_with_key(&path, "", "k").await;
        assert_eq!((refused.status, &refused.body), (sent, &json!({ "error": error })));
        assert_eq!(api.status_of(&id).await, "requires_confirmation");
    }
    assert_eq!(api.post_with_key(&path, "", "k").await.status, 200);
    let json_type = [("content-type", "application/json")];
    for bad in [
        json!({"operation": "confirm", "kind": "error"}),
        json!({"operation": "confirm", "kind": "error", "error": error, "effect": "after"}),
        json!({"operation": "confirm", "kind": "error", "error": error, "status": 200}),
        json!({"operation": "confirm", "kind": "reset", "error": error}),
    ] {
        let refused = api.send(Method::POST, "/_control/faults", &json_type, &bad.to_string()).await.unwrap();
        assert_eq!(refused.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn a_reset_before_the_effect_charges_nothing_and_after_it_charges_once() {
    let api = Api::start().await;
    for (effect, status, charges) in [("before", "requires_confirmation", 0), ("after", "succeeded", 1)] {
        let (id, path) = create_intent(&api, effect).await;
        api.add_fault(json!({"operation": "confirm", "effect": effect, "kind": "reset", "times": 1})).await;
        api.try_post(&path, "", Some(effect)).await.unwrap_err();
        assert_eq!(api.status_of(&id).await, status);
        assert_eq!(api.charges(effect).await.len(), charges);
        // A retry with the same key then succeeds, and the money is captured once in total.
        assert_eq!(api.post_with_key(&path, "", effect).await.at("/status"), "succeeded");
        assert_eq!(api.charges(effect).await.len(), 1);
    }
}

#[tokio::test]
async fn a_timeout_delays_the_request_and_closes_the_connection() {
    let api = Api::start().await;
    for (effect, status) in [("before", "requires_confirmation"), ("after", "succeeded")] {
        let (id, path) = create_intent(&api, effect).await;
        let fault =
            json!({"operation": "confirm", "effect": effect, "kind": "timeout", "times": 1, "delay_ms": 300});
        api.add_fault(fault).await;
        let start = Instant::now();
        api.try_post(&path, "", None).await.unwrap_err();
        assert!(start.elapsed() >= Duration::from_millis(300));
        assert_eq!(api.status_of(&id).await, status);
        let log = api.control(&format!("/_control/requests?order_id={effect}")).await;
        let confirm = log.iter().find(|line| line["operation"] == "confirm").unwrap();
        assert_eq!((&confirm["outcome"], &confirm["status"]), (&json!("no_answer"), &Value::Null));
    }
}

#[tokio::test]
async fn a_timeout_lasts_one_minute_by_default() {
    let api = Api::start().await;
    let (_, path) = create_intent(&api, "o-1").await;
    api.add_fault(json!({"operation": "confirm", "kind": "timeout"})).await;
    assert_eq!(api.control("/_control/faults").await[0]["delay_ms"], 60_000);
    // The client times out long before.
    let waited = tokio::time::timeout(Duration::from_millis(300), api.try_post(&path, "", None)).await;
    assert!(waited.is_err());
}

#[tokio::test]
async fn a_slow_request_takes_effect_after_its_client_disconnects() {
    let api = Api::start().await;
    let (id, path) = create_intent(&api, "o-1").await;
    api.add_fault(json!({"operation": "confirm", "kind": "slow", "times": 1, "delay_ms": 400})).await;
    let client_timeout =
        tokio::time::timeout(Duration::from_millis(150), api.try_post(&path, "", Some("k"))).await;
    assert!(client_timeout.is_err());
    assert_eq!(api.status_of(&id).await, "requires_confirmation");
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(api.status_of(&id).await, "succeeded");
    assert_eq!(api.post_with_key(&path, "", "k").await.header("idempotent-replayed"), Some("true"));
}

#[tokio::test]
async fn a_slow_request_can_take_effect_before_the_delay() {
    let api = Api::start().await;
    let (id, path) = create_intent(&api, "o-1").await;
    let fault =
        json!({"operation": "confirm", "effect": "after", "kind": "slow", "times": 1, "delay_ms": 500});
    api.add_fault(fault).await;
    let (slow_api, slow_path) = (api.clone(), path.clone());
    let slow = tokio::spawn(async move { slow_api.post_with_key(&slow_path, "", "k").await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(api.status_of(&id).await, "succeeded");
    assert_eq!(api.post_with_key(&path, "", "k").await.status, 409);
    assert_eq!(slow.await.unwrap().at("/status"), "succeeded");
}

#[tokio::test]
async fn a_fault_applies_to_its_operation_and_order_the_given_number_of_times() {
    let api = Api::start().await;
    let id = api
        .add_fault(json!({"operation": "create", "kind": "http_503", "times": 2, "order_id": "o-1"}))
        .await;
    let create =
        async |order: &str| api.post("/v1/payment_intents", &intent_form(order, "pm_card_visa")).await.status;
    assert_eq!(create("o-2").await, 200);
    assert_eq!(api.get("/v1/payment_intents").await.status, 200);
    assert_eq!([create("o-1").await, create("o-1").await, create("o-1").await], [503, 503, 200]);
    let faults = api.control("/_control/faults").await;
    assert_eq!((&faults[0]["id"], &faults[0]["fired"]), (&json!(id), &json!(2)));
    assert_eq!((&faults[0]["kind"], &faults[0]["effect"]), (&json!("http_503"), &json!("before")));
    let log = api.control("/_control/requests?order_id=o-1").await;
    assert_eq!((&log[0]["faults"], &log[0]["status"]), (&json!([id]), &json!(503)));
    assert_eq!(log[2]["faults"], json!([]));
}

#[tokio::test]
async fn the_order_is_found_through_the_payment_intent() {
    let api = Api::start().await;
    let (one, _) = create_intent(&api, "o-1").await;
    let (two, _) = create_intent(&api, "o-2").await;
    // One fault for each operation on an order, so that each is tested separately.
    for operation in ["retrieve", "confirm", "cancel", "refund"] {
        let fault = json!({"operation": operation, "kind": "http_503", "times": 1, "order_id": "o-1"});
        api.add_fault(fault).await;
    }
    let read = async |id: &str| api.get(&format!("/v1/payment_intents/{id}")).await.status;
    let confirm = async |id: &str| api.confirm(id).await.status;
    let refund = async |id: &str| api.post("/v1/refunds", &format!("payment_intent={id}")).await.status;
    let cancel = async |id: &str| api.post(&format!("/v1/payment_intents/{id}/cancel"), "").await.status;
    assert_eq!([read(&two).await, read(&one).await, read(&one).await], [200, 503, 200]);
    assert_eq!([confirm(&two).await, confirm(&one).await, confirm(&one).await], [200, 503, 200]);
    assert_eq!([refund(&two).await, refund(&one).await, refund(&one).await], [200, 503, 200]);
    // A paid PaymentIntent cannot be canceled; the fault is injected before that check.
    assert_eq!([cancel(&two).await, cancel(&one).await, cancel(&one).await], [400, 503, 400]);
}

#[tokio::test]
async fn a_fault_without_times_applies_until_it_is_cleared() {
    let api = Api::start().await;
    let (id, path) = create_intent(&api, "o-1").await;
    let clear = async |which: &str| {
        api.send(Method::DELETE, &format!("/_control/faults{which}"), &[], "").await.unwrap()
    };
    let first = api.add_fault(json!({"operation": "any", "kind": "http_503", "times": null})).await;
    let second = api.add_fault(json!({"operation": "confirm", "kind": "http_429"})).await;
    for _ in 0..5 {
        assert_eq!(api.post(&path, "").await.status, 503);
        assert_eq!(api.get("/v1/payment_intents").await.status, 503);
    }
    assert_eq!(clear(&format!("/{first}")).await.body["cleared"], 1);
    assert_eq!(api.post(&path, "").await.status, 429);
    assert_eq!(api.status_of(&id).await, "requires_confirmation");
    assert_eq!(clear(&format!("/{first}")).await.status, 404);
    assert_eq!(clear("").await.body["cleared"], 1);
    assert_eq!(clear(&format!("/{second}")).await.status, 404);
    assert_eq!(api.post(&path, "").await.status, 200);
}

#[tokio::test]
async fn an_invalid_fault_is_rejected_with_the_reason() {
    let api = Api::start().await;
    let cases = [
        (r#"{"operation":"confirm","kind":"http_429","effect":"after"}"#, "before"),
        (r#"{"operation":"confirm","kind":"http_503","times":0}"#, "times"),
        (r#"{"operation":"pay","kind":"http_503"}"#, "pay"),
        (r#"{"operation":"confirm","kind":"http_418"}"#, "http_418"),
        (r#"{"operation":"confirm","kind":"http_503","tiems":1}"#, "tiems"),
        (r#"{"kind":"http_503"}"#, "operation"),
    ];
    for (fault, names) in cases {
        let json = [("content-type", "application/json")];
        let refused = api.send(Method::POST, "/_control/faults", &json, fault).await.unwrap();
        assert_eq!(refused.status, 400, "{fault}");
        assert!(refused.at("/error").contains(names), "{fault}: {}", refused.text);
    }
    assert!(api.control("/_control/faults").await.is_empty());
}
