//! Idempotency keys: <https://docs.stripe.com/api/idempotent_requests>.

use std::time::Duration;

use axum::http::Method;
use serde_json::json;

use crate::support::{Api, bearer, intent_form};

const CREATE: &str = "/v1/payment_intents";

#[tokio::test]
async fn a_repeated_request_with_the_same_key_gets_the_same_response() {
    let api = Api::start().await;
    let first = api.post_with_key(CREATE, &intent_form("o-1", "pm_card_visa"), "k").await;
    let again = api.post_with_key(CREATE, &intent_form("o-1", "pm_card_visa"), "k").await;
    assert_eq!((first.status, &first.text), (again.status, &again.text));
    assert_eq!(first.header("idempotent-replayed"), None);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.header("original-request"), first.header("request-id"));
    assert_ne!(again.header("request-id"), first.header("request-id"));
    assert_eq!(again.header("idempotency-key"), Some("k"));

    // With the parameters in another order it is still the same request; with another key it is not.
    let shuffled = "metadata[order_id]=o-1&payment_method_types[]=card&payment_method=pm_card_visa&currency=eur&amount=1250";
    assert_eq!(api.post_with_key(CREATE, shuffled, "k").await.text, first.text);
    let other = api.post_with_key(CREATE, &intent_form("o-1", "pm_card_visa"), "another").await;
    assert_ne!(other.id(), first.id());
}

#[tokio::test]
async fn a_replayed_confirmation_ignores_later_changes() {
    let api = Api::start().await;
    let id = api.create_intent("o-1", "pm_card_visa_chargeDeclined").await;
    let path = format!("/v1/payment_intents/{id}/confirm");
    let declined = api.post_with_key(&path, "", "k").await;
    assert_eq!(declined.status, 402);
    assert_eq!(api.post(&path, "payment_method=pm_card_visa").await.at("/status"), "succeeded");
    let replayed = api.post_with_key(&path, "", "k").await;
    assert_eq!((replayed.status, replayed.text), (402, declined.text));
}

#[tokio::test]
async fn a_key_belongs_to_its_parameters_and_its_endpoint() {
    let api = Api::start().await;
    let made = api.post_with_key(CREATE, &intent_form("o-1", "pm_card_visa"), "k").await;
    let other = api.post_with_key(CREATE, &intent_form("o-2", "pm_card_visa"), "k").await;
    assert_eq!((other.status, other.at("/error/type")), (400, "idempotency_error"));
    assert!(other.at("/error/message").contains("same parameters"));

    let path = format!("/v1/payment_intents/{}/confirm", made.at("/id"));
    let elsewhere = api.post_with_key(&path, "", "k").await;
    assert_eq!((elsewhere.status, elsewhere.at("/error/type")), (400, "idempotency_error"));
    assert!(elsewhere.at("/error/message").contains("same endpoint"));
    // Neither attempt had an effect or changed the saved response.
    assert!(api.charges("o-1").await.is_empty());
    assert_eq!(api.get(CREATE).await.body["data"].as_array().unwrap().len(), 1);
    assert_eq!(api.post_with_key(CREATE, &intent_form("o-1", "pm_card_visa"), "k").await.text, made.text);
}

#[tokio::test]
async fn a_request_that_is_rejected_early_does_not_use_its_key() {
    let api = Api::start().await;
    // Invalid parameters.
    assert_eq!(api.post_with_key(CREATE, "amount=1250", "k").await.status, 400);
    // No API key.
    let without = [("idempotency-key", "k")];
    assert_eq!(api.send(Method::POST, CREATE, &without, "amount=1").await.unwrap().status, 401);
    // Too many requests; a conflict; an unavailable API.
    for kind in ["http_429", "conflict_409", "http_503"] {
        api.add_fault(json!({"operation": "create", "kind": kind, "times": 1})).await;
        let refused = api.post_with_key(CREATE, &intent_form("o-x", "pm_card_visa"), "k").await;
        assert!(refused.status > 400, "{kind}");
    }
    let made = api.post_with_key(CREATE, &intent_form("o-1", "pm_card_visa"), "k").await;
    assert_eq!((made.status, made.header("idempotent-replayed")), (200, None));
}

#[tokio::test]
async fn a_failure_of_the_endpoint_is_replayed() {
    let api = Api::start().await;
    let form = intent_form("o-1", "pm_none");
    let first = api.post_with_key(CREATE, &form, "k").await;
    assert_eq!(first.at("/error/code"), "resource_missing");
    let again = api.post_with_key(CREATE, &form, "k").await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (400, Some("true")));
}

#[tokio::test]
async fn a_key_in_use_is_rejected() {
    let api = Api::start().await;
    let id = api.create_intent("o-1", "pm_card_visa").await;
    let path = format!("/v1/payment_intents/{id}/confirm");
    api.add_fault(json!({"operation": "confirm", "kind": "slow", "times": 1, "delay_ms": 600})).await;
    let (slow_api, slow_path) = (api.clone(), path.clone());
    let slow = tokio::spawn(async move { slow_api.post_with_key(&slow_path, "", "k").await });
    tokio::time::sleep(Duration::from_millis(200)).await;

    let conflict = api.post_with_key(&path, "", "k").await;
    assert_eq!((conflict.status, conflict.at("/error/code")), (409, "idempotency_key_in_use"));
    assert_eq!(conflict.at("/error/type"), "invalid_request_error");
    assert!(api.charges("o-1").await.is_empty());

    let first = slow.await.unwrap();
    assert_eq!((first.status, first.at("/status")), (200, "succeeded"));
    // The conflict was not saved.
    let again = api.post_with_key(&path, "", "k").await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")));
    assert_eq!(api.charges("o-1").await.len(), 1);
}

#[tokio::test]
async fn keys_can_be_deleted() {
    let api = Api::start().await;
    let forget = async |query: &str| {
        api.send(Method::POST, &format!("/_control/forget_keys{query}"), &[], "").await.unwrap()
    };
    let form = intent_form("o-1", "pm_card_visa");
    let one = api.post_with_key(CREATE, &form, "one").await.id();
    let two = api.post_with_key(CREATE, &form, "two").await.id();

    assert_eq!(forget("?key=one").await.body["forgotten"], 1);
    assert_ne!(api.post_with_key(CREATE, &form, "one").await.id(), one);
    assert_eq!(api.post_with_key(CREATE, &form, "two").await.id(), two);
    assert_eq!(forget("").await.body["forgotten"], 2);
    assert_ne!(api.post_with_key(CREATE, &form, "two").await.id(), two);
    assert_eq!(forget("?kye=one").await.status, 400);
}

#[tokio::test]
async fn a_key_has_at_most_255_characters_and_is_ignored_on_a_get() {
    let api = Api::start().await;
    let form = intent_form("o-1", "pm_card_visa");
    assert_eq!(api.post_with_key(CREATE, &form, &"k".repeat(255)).await.status, 200);
    let long = api.post_with_key(CREATE, &form, &"k".repeat(256)).await;
    assert_eq!((long.status, long.at("/error/type")), (400, "invalid_request_error"));

    let id = api.create_intent("o-2", "pm_card_visa").await;
    let read = async || {
        let headers = [bearer(), ("idempotency-key", "read")];
        api.send(Method::GET, &format!("{CREATE}/{id}"), &headers, "").await.unwrap()
    };
    assert_eq!(read().await.at("/status"), "requires_confirmation");
    api.confirm(&id).await;
    assert_eq!(read().await.at("/status"), "succeeded");
}
