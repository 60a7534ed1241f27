//! `POST /webhooks`, and reading the webhooks that it creates.

use axum::body::Body;
use http::{Method, Request, StatusCode};
use platform::http::access::Scopes;
use platform::http::{Caller, Scope};
use serde_json::json;

use crate::support::{PARTNER, Service, URL, machine};

#[tokio::test]
async fn the_response_for_a_new_webhook_has_its_location_and_secret() {
    let service = Service::new();
    let body = json!({"url": URL, "events": ["payment.succeeded", "payment.failed"], "description": "books"});
    let response = service.subscribe("key-1", &body).await;
    let id = response.id();
    assert_eq!(response.location, Some(format!("/v1/webhooks/{id}")));
    let mut expected = json!({
        "id": id, "url": URL, "events": ["payment.succeeded", "payment.failed"], "description": "books",
        "enabled": true, "created_at": "2026-11-23T10:15:30Z",
        "secret": "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    });
    assert_eq!(response.body, expected);
    expected.as_object_mut().unwrap().remove("secret");
    assert_eq!(service.get(&format!("/webhooks/{id}")).await.body, expected);
    assert_eq!(service.get("/webhooks").await.body, json!({"webhooks": [expected], "next_cursor": null}));
}

#[tokio::test]
async fn the_default_is_all_event_types() {
    let service = Service::new();
    let response = service.subscribe("key-1", &json!({"url": URL})).await;
    assert_eq!(response.body["events"].as_array().unwrap().len(), 7);
}

#[tokio::test]
async fn a_repeated_request_returns_the_same_webhook_and_another_one_is_rejected() {
    let service = Service::new();
    let first = service.subscribe("key-1", &json!({"url": URL})).await;
    let again = service.subscribe("key-1", &json!({"url": URL})).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body), "with the secret");
    let other = service.subscribe("key-1", &json!({"url": "https://other.example.com/"})).await;
    assert_eq!(other.problem(), (422, "idempotency-key-reused"));
    assert_eq!(service.get("/webhooks").await.body["webhooks"].as_array().unwrap().len(), 1);
    // Another partner may use the same key.
    let theirs = service
        .call(machine("client2"), Method::POST, "/webhooks", Some("key-1"), Some(&json!({"url": URL})))
        .await;
    assert_ne!(theirs.id(), first.id());
}

#[tokio::test]
async fn there_are_at_most_ten_and_they_are_listed_in_pages() {
    let service = Service::new();
    let mut ids = Vec::new();
    for number in 0..10 {
        ids.insert(0, service.subscribe(&format!("key-{number}"), &json!({"url": URL})).await.id());
    }
    assert_eq!(service.subscribe("key-10", &json!({"url": URL})).await.problem(), (409, "too-many-webhooks"));
    assert_eq!(
        service.subscribe("key-3", &json!({"url": URL})).await.id(),
        ids[6],
        "a replay does not count"
    );
    let (mut path, mut found) = ("/webhooks?limit=4".to_owned(), Vec::new());
    loop {
        let page = service.get(&path).await.body;
        let page_ids = page["webhooks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|webhook| webhook["id"].as_str().unwrap().to_owned());
        found.extend(page_ids);
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/webhooks?limit=4&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(found, ids);
}

#[tokio::test]
async fn concurrent_requests_do_not_overwrite_each_other() {
    let service = Service::new();
    service.partners.conflicts.fail_next(4);
    service.subscribed("key-1").await;
    service.partners.conflicts.fail_next(u32::MAX);
    let response = service.subscribe("key-2", &json!({"url": URL})).await;
    assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn all_errors_are_reported_together() {
    let service = Service::new();
    let bad = json!({"url": "https://127.0.0.1/", "events": ["order.shipped"], "description": "\u{7}", "secret": "x"});
    let response = service.call(machine(PARTNER), Method::POST, "/webhooks", None, Some(&bad)).await;
    let mut locations = response.error_locations();
    locations.sort_unstable();
    assert_eq!(response.status, StatusCode::BAD_REQUEST);
    assert_eq!(locations, ["/description", "/events", "/secret", "/url", "Idempotency-Key"]);
    for (body, location) in [
        (json!({}), "/url"),
        (json!({"url": "http://partner.example.com/"}), "/url"),
        (json!({"url": "http://127.0.0.1:4000/"}), "/url"),
        (json!({"url": "https://metadata.google.internal/"}), "/url"),
        (json!({"url": "https://hooks.corp/"}), "/url"),
        (json!({"url": URL, "events": []}), "/events"),
        (json!({"url": URL, "events": ["payment.failed", "payment.failed"]}), "/events"),
        (json!({"url": URL, "description": "x".repeat(201)}), "/description"),
    ] {
        let response = service.subscribe("key-1", &body).await;
        assert_eq!(
            (response.status, response.error_locations()),
            (StatusCode::BAD_REQUEST, vec![location]),
            "{body}"
        );
    }
    assert_eq!(service.get("/webhooks").await.body["webhooks"], json!([]));
}

#[tokio::test]
async fn only_partners_have_access() {
    let service = Service::new();
    let scopes = Scopes::from_iter([Scope::PartnerWebhooks]);
    let user = Caller::User { id: PARTNER.parse().unwrap(), is_staff: true, scopes };
    let other =
        Caller::Machine { id: PARTNER.parse().unwrap(), scopes: Scopes::from_iter([Scope::PartnerOrders]) };
    for (caller, status) in [(Caller::Anonymous, 401), (user, 403), (other, 403)] {
        let response = service.call(caller.clone(), Method::GET, "/webhooks", None, None).await;
        assert_eq!(response.status.as_u16(), status, "{caller:?}");
    }
    // A gateway that forwards requests without an API key, or with that of another partner.
    let secret = "0123456789abcdef0123456789abcdef";
    for (key, status) in [(None, 403), (Some("client2"), 403), (Some(PARTNER), 200)] {
        let mut request = Request::get("/webhooks").extension(machine(PARTNER));
        if let Some(client) = key {
            request = request.header("x-api-key", format!("{client}{secret}"));
        }
        let response = service.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status.as_u16(), status, "{key:?}: {}", response.body);
    }
}

/// Subscriptions survive a round trip through the table, and every operation has a description.
#[tokio::test]
async fn subscriptions_survive_a_round_trip() {
    use partners::store::Partners;
    let service = Service::new();
    let body = json!({"url": URL, "events": ["payment.failed"], "description": "\u{fc}ber"});
    service.subscribe("key-1", &body).await.id();
    let webhook = service.subscribed("key-2").await;
    service.patch(&webhook, &json!({"enabled": false})).await;
    let stored = service.partners.get(&PARTNER.parse().unwrap()).await.unwrap().value;
    let written = serde_json::to_string(&stored).unwrap();
    assert_eq!(serde_json::from_str::<partners::webhook::Subscriptions>(&written).unwrap(), stored);
    assert!(!format!("{stored:?}").contains("whsec_"), "secrets are not printed");
    let older = written.replace("partner.example.com", "partner.corp");
    let older: partners::webhook::Subscriptions = serde_json::from_str(&older).unwrap();
    assert_eq!(older.all()[0].url.as_str(), "https://partner.corp/hook", "it was valid when it was stored");

    let mut ids = std::collections::BTreeSet::new();
    for operation in partners::api::routes().operations() {
        let description = operation.description();
        assert!(!description.summary.is_empty() && !description.responses.is_empty(), "{}", operation.id);
        assert!(ids.insert(operation.id), "{}", operation.id);
    }
    assert_eq!(ids.len(), 8);
}
