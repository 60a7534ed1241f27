//! `POST /webhooks`, and reading what it made.

use http::{Method, StatusCode};
use platform::http::access::Scopes;
use platform::http::{Caller, Scope};
use serde_json::json;

use crate::support::{PARTNER, Service, URL, machine};

#[tokio::test]
async fn a_new_webhook_is_answered_with_where_it_is_and_with_its_secret_this_once() {
    let service = Service::new();
    let body = json!({"url": URL, "events": ["payment.succeeded", "payment.failed"], "description": "books"});
    let answer = service.subscribe("key-1", &body).await;
    let id = answer.id();
    assert_eq!(answer.location, Some(format!("/v1/webhooks/{id}")));
    let mut expected = json!({
        "id": id, "url": URL, "events": ["payment.succeeded", "payment.failed"], "description": "books",
        "enabled": true, "created_at": "2026-11-23T10:15:30Z",
        "secret": "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    });
    assert_eq!(answer.body, expected);
    expected.as_object_mut().unwrap().remove("secret");
    assert_eq!(service.get(&format!("/webhooks/{id}")).await.body, expected);
    assert_eq!(service.get("/webhooks").await.body, json!({"webhooks": [expected], "next_cursor": null}));
}

#[tokio::test]
async fn without_types_it_is_all_of_them() {
    let service = Service::new();
    let answer = service.subscribe("key-1", &json!({"url": URL})).await;
    assert_eq!(answer.body["events"].as_array().unwrap().len(), 7);
}

#[tokio::test]
async fn the_same_key_gives_the_same_webhook_and_another_request_is_refused() {
    let service = Service::new();
    let first = service.subscribe("key-1", &json!({"url": URL})).await;
    let again = service.subscribe("key-1", &json!({"url": URL})).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body), "with the secret");
    let other = service.subscribe("key-1", &json!({"url": "https://other.example/"})).await;
    assert_eq!(other.problem(), (422, "idempotency-key-reused"));
    assert_eq!(service.get("/webhooks").await.body["webhooks"].as_array().unwrap().len(), 1);
    // Another partner may have hit upon the same key.
    let theirs = service
        .call(machine("client2"), Method::POST, "/webhooks", Some("key-1"), Some(&json!({"url": URL})))
        .await;
    assert_ne!(theirs.id(), first.id());
}

#[tokio::test]
async fn ten_are_enough_and_they_come_in_pages() {
    let service = Service::new();
    let mut ids = Vec::new();
    for number in 0..10 {
        ids.insert(0, service.subscribe(&format!("key-{number}"), &json!({"url": URL})).await.id());
    }
    assert_eq!(service.subscribe("key-10", &json!({"url": URL})).await.problem(), (409, "too-many-webhooks"));
    assert_eq!(service.subscribe("key-3", &json!({"url": URL})).await.id(), ids[6], "a repeat is none more");
    let (mut path, mut found) = ("/webhooks?limit=4".to_owned(), Vec::new());
    loop {
        let page = service.get(&path).await.body;
        let page_ids =
            page["webhooks"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned());
        found.extend(page_ids);
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/webhooks?limit=4&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(found, ids);
}

#[tokio::test]
async fn requests_at_the_same_time_do_not_undo_each_other() {
    let service = Service::new();
    service.partners.conflicts.fail_next(4);
    service.subscribed("key-1").await;
    service.partners.conflicts.fail_next(5);
    let answer = service.subscribe("key-2", &json!({"url": URL})).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once() {
    let service = Service::new();
    let bad = json!({"url": "https://127.0.0.1/", "events": ["order.shipped"], "description": "\u{7}", "secret": "x"});
    let answer = service.call(machine(PARTNER), Method::POST, "/webhooks", None, Some(&bad)).await;
    let mut places = answer.places();
    places.sort_unstable();
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(places, ["/description", "/events", "/secret", "/url", "Idempotency-Key"]);
    for (body, place) in [
        (json!({}), "/url"),
        (json!({"url": "http://partner.example/"}), "/url"),
        (json!({"url": "http://127.0.0.1:4000/"}), "/url"),
        (json!({"url": "https://metadata.google.internal/"}), "/url"),
        (json!({"url": URL, "events": []}), "/events"),
        (json!({"url": URL, "events": ["payment.failed", "payment.failed"]}), "/events"),
        (json!({"url": URL, "description": "x".repeat(201)}), "/description"),
    ] {
        let answer = service.subscribe("key-1", &body).await;
        assert_eq!((answer.status, answer.places()), (StatusCode::BAD_REQUEST, vec![place]), "{body}");
    }
    assert_eq!(service.get("/webhooks").await.body["webhooks"], json!([]));
}

#[tokio::test]
async fn only_partners_get_in() {
    let service = Service::new();
    let scopes = Scopes::from_iter([Scope::PartnerWebhooks]);
    let user = Caller::User { id: PARTNER.parse().unwrap(), is_staff: true, scopes };
    let other =
        Caller::Machine { id: PARTNER.parse().unwrap(), scopes: Scopes::from_iter([Scope::PartnerOrders]) };
    for (caller, status) in [(Caller::Anonymous, 401), (user, 403), (other, 403)] {
        let answer = service.call(caller.clone(), Method::GET, "/webhooks", None, None).await;
        assert_eq!(answer.status.as_u16(), status, "{caller:?}");
    }
}

/// What the table keeps, and what the contract says, can be written and read.
#[tokio::test]
async fn subscriptions_survive_being_written_down() {
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

    let mut ids = std::collections::BTreeSet::new();
    for operation in partners::api::routes().operations() {
        let description = operation.description();
        assert!(!description.summary.is_empty() && !description.responses.is_empty(), "{}", operation.id);
        assert!(ids.insert(operation.id), "{}", operation.id);
    }
    assert_eq!(ids.len(), 8);
}
