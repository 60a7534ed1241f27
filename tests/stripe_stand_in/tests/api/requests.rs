//! API keys, parameters and URLs: the errors for invalid requests, and the request log.

use axum::http::Method;

use crate::support::{Api, bearer, intent_form};

#[tokio::test]
async fn a_request_requires_a_valid_api_key() {
    let api = Api::start().await;
    let send = async |headers: &[(&str, &str)]| {
        api.send(Method::GET, "/v1/payment_intents", headers, "").await.unwrap()
    };
    // "sk_test_local:" and "sk_test_other:", as `curl -u` sends them.
    let (basic, wrong_basic) = ("Basic c2tfdGVzdF9sb2NhbDo=", "Basic c2tfdGVzdF9vdGhlcjo=");
    for good in ["Bearer sk_test_local", basic] {
        assert_eq!(send(&[("authorization", good)]).await.status, 200, "{good}");
    }
    let without = send(&[]).await;
    assert_eq!((without.status, without.at("/error/type")), (401, "invalid_request_error"));
    assert!(without.at("/error/message").contains("did not provide an API key"));
    assert!(without.header("request-id").is_some() && without.header("www-authenticate").is_some());
    for wrong in ["Bearer sk_test_other", wrong_basic, "Bearer ", "sk_test_local", "Basic %%%"] {
        let refused = send(&[("authorization", wrong)]).await;
        assert_eq!(refused.status, 401, "{wrong}");
        // An API key is a secret, even a wrong one.
        assert!(!refused.text.contains("sk_test_other"));
    }
}

#[tokio::test]
async fn invalid_parameters_are_rejected_by_name() {
    let api = Api::start().await;
    let card = "payment_method_types[]=card";
    let cases = [
        ("currency=eur", "parameter_missing", "amount"),
        ("amount=1250", "parameter_missing", "currency"),
        ("amount=12.50&currency=eur", "parameter_invalid_integer", "amount"),
        ("amount=0&currency=eur", "parameter_invalid_integer", "amount"),
        ("amount=-1&currency=eur", "parameter_invalid_integer", "amount"),
        ("amount=49&currency=eur", "amount_too_small", "amount"),
        ("amount=49&currency=krw", "amount_too_small", "amount"),
        ("amount=1251&currency=kwd", "", "amount"),
        ("amount=550&currency=isk", "", "amount"),
        ("amount=100000000&currency=eur", "amount_too_large", "amount"),
        ("amount=1250&currency=", "parameter_invalid_empty", "currency"),
        ("amount=1250&currency=zzz", "", "currency"),
        ("amount=1250&currency=eur&confirm=maybe", "", "confirm"),
        ("amount=1250&currency=eur&amuont=1", "parameter_unknown", "amuont"),
        ("amount=1250&currency=eur&customer=cust-1", "resource_missing", "customer"),
        ("amount=1250&currency=eur&payment_method=pm_none", "resource_missing", "payment_method"),
        ("amount=1250&currency=eur&payment_method_types[]=ideal", "", "payment_method_types"),
        ("amount=1250&currency=eur&return_url=https://shop.example", "", "return_url"),
    ];
    for (form, code, param) in cases {
        let refused = api.post("/v1/payment_intents", form).await;
        assert_eq!((refused.status, refused.at("/error/type")), (400, "invalid_request_error"), "{form}");
        assert_eq!((refused.at("/error/code"), refused.at("/error/param")), (code, param), "{form}");
    }
    let both = format!("amount=1250&currency=eur&automatic_payment_methods[enabled]=true&{card}");
    assert_eq!(api.post("/v1/payment_intents", &both).await.status, 400);
    assert_eq!(api.get("/v1/payment_intents").await.body["data"].as_array().unwrap().len(), 0);

    let largest = format!("amount=99999999&currency=EUR&{card}");
    assert_eq!(api.post("/v1/payment_intents", &largest).await.at("/currency"), "eur");
}

#[tokio::test]
async fn the_parameters_of_a_confirmation_are_validated() {
    let api = Api::start().await;
    let id = api.create_intent("o-1", "pm_card_visa").await;
    let path = format!("/v1/payment_intents/{id}/confirm");
    for (form, param) in [("payment_method=pm_card_none", "payment_method"), ("amount=1", "amount")] {
        let refused = api.post(&path, form).await;
        assert_eq!((refused.status, refused.at("/error/param")), (400, param), "{form}");
    }
    assert_eq!(api.status_of(&id).await, "requires_confirmation");
}

#[tokio::test]
async fn unknown_ids_and_urls_return_404() {
    let api = Api::start().await;
    for (method, path) in [
        (Method::GET, "/v1/payment_intents/pi_none"),
        (Method::POST, "/v1/payment_intents/pi_none/confirm"),
        (Method::POST, "/v1/payment_intents/pi_none/cancel"),
    ] {
        let missing = api.send(method, path, &[bearer()], "").await.unwrap();
        assert_eq!((missing.status, missing.at("/error/code")), (404, "resource_missing"), "{path}");
        assert_eq!(missing.at("/error/param"), "intent");
        assert_eq!(missing.at("/error/message"), "No such payment_intent: 'pi_none'");
    }
    for (method, path) in [
        (Method::GET, "/v1/customers"),
        (Method::PUT, "/v1/payment_intents"),
        (Method::POST, "/v1/payment_intents/pi_none/capture"),
        (Method::GET, "/"),
    ] {
        let missing = api.send(method, path, &[bearer()], "").await.unwrap();
        assert_eq!((missing.status, missing.at("/error/type")), (404, "invalid_request_error"), "{path}");
        assert!(missing.at("/error/message").starts_with("Unrecognized request URL"));
        assert!(missing.header("request-id").is_some());
    }
}

#[tokio::test]
async fn a_body_must_be_form_encoded() {
    let api = Api::start().await;
    let headers = [bearer(), ("content-type", "application/json")];
    let body = r#"{"amount":1250,"currency":"eur"}"#;
    let refused = api.send(Method::POST, "/v1/payment_intents", &headers, body).await.unwrap();
    assert_eq!(refused.status, 400);
    assert!(refused.at("/error/message").contains("application/x-www-form-urlencoded"));
}

#[tokio::test]
async fn the_log_lists_the_requests_of_each_order() {
    let api = Api::start().await;
    let made = api.post_with_key("/v1/payment_intents", &intent_form("o-1", "pm_card_visa"), "k-1").await;
    let id = made.id();
    api.create_intent("o-2", "pm_card_visa").await;
    api.confirm(&id).await;
    api.confirm(&id).await;
    api.post_with_key("/v1/payment_intents", &intent_form("o-1", "pm_card_visa"), "k-1").await;

    let log = api.control("/_control/requests?order_id=o-1").await;
    let seen: Vec<_> = log
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or("-");
            (text("operation"), text("outcome"), text("idempotency_key"), line["replayed"] == true)
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("create", "requires_confirmation", "k-1", false),
            ("confirm", "succeeded", "-", false),
            ("confirm", "payment_intent_unexpected_state", "-", false),
            ("create", "requires_confirmation", "k-1", true),
        ]
    );
    assert!(log.iter().all(|line| line["payment_intent"] == id.as_str() && line["at"].is_string()));
    assert_eq!(log[0]["request_id"].as_str(), made.header("request-id"));
    assert_eq!(api.control("/_control/requests").await.len(), 5);
}

#[tokio::test]
async fn the_state_can_be_reset() {
    let api = Api::start().await;
    let id = api.create_intent("o-1", "pm_card_visa").await;
    api.confirm(&id).await;
    api.add_fault(serde_json::json!({"operation": "any", "kind": "http_503"})).await;
    let reset = api.send(Method::DELETE, "/_control/state", &[], "").await.unwrap();
    assert_eq!(reset.status, 204);
    assert_eq!(api.get(&format!("/v1/payment_intents/{id}")).await.status, 404);
    assert!(api.control("/_control/charges").await.is_empty());
    assert!(api.control("/_control/faults").await.is_empty());

    let health = api.send(Method::GET, "/_control/health", &[], "").await.unwrap();
    assert_eq!((health.status, health.at("/status")), (200, "ok"));
    let typo = api.send(Method::GET, "/_control/charges?order=o-1", &[], "").await.unwrap();
    assert_eq!(typo.status, 400, "an unknown filter must not be ignored");
}
