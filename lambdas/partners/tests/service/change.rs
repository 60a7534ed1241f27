//! `PATCH` and `DELETE /webhooks/{webhook_id}`, and access to the webhooks of others.

use http::{Method, StatusCode};
use serde_json::json;

use crate::support::{PARTNER, Service, machine};

#[tokio::test]
async fn omitted_fields_stay_unchanged() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    let before = service.get(&webhook).await.body;
    assert_eq!(service.patch(&webhook, &json!({})).await.body, before);
    let changed = service.patch(&webhook, &json!({"events": ["order.created"], "description": "x"})).await;
    assert_eq!(changed.status, StatusCode::OK);
    assert_eq!(
        (&changed.body["events"], &changed.body["description"]),
        (&json!(["order.created"]), &json!("x"))
    );
    assert_eq!(changed.body["url"], before["url"]);
    let changed =
        service.patch(&webhook, &json!({"url": "https://new.example.com/", "description": ""})).await.body;
    assert_eq!((&changed["url"], changed.get("description")), (&json!("https://new.example.com/"), None));
    assert_eq!(service.get(&webhook).await.body, changed);
    assert_eq!(
        service.patch(&webhook, &json!({"url": "https://10.0.0.1/"})).await.error_locations(),
        ["/url"]
    );
}

#[tokio::test]
async fn a_partner_disables_and_enables_a_webhook() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    let off = service.patch(&webhook, &json!({"enabled": false})).await.body;
    assert_eq!(off["enabled"], json!(false));
    assert_eq!(off["disabled"], json!({"reason": "owner", "at": "2026-11-23T10:15:30Z"}));
    service.deliver(&service.paid()).await.unwrap();
    assert!(service.receivers.requests().is_empty());
    let on = service.patch(&webhook, &json!({"enabled": true})).await.body;
    assert_eq!((&on["enabled"], on.get("disabled")), (&json!(true), None));
    service.deliver(&service.paid()).await.unwrap();
    assert_eq!(service.receivers.requests().len(), 1);
}

#[tokio::test]
async fn a_deleted_webhook_is_gone() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    let remove = || service.call(machine(PARTNER), Method::DELETE, &webhook, None, None);
    assert_eq!(remove().await.status, StatusCode::NO_CONTENT);
    assert_eq!(remove().await.problem(), (404, "not-found"));
    assert_eq!(service.get(&webhook).await.problem(), (404, "not-found"));
    service.deliver(&service.paid()).await.unwrap();
    assert!(service.receivers.requests().is_empty());
}

#[tokio::test]
async fn webhooks_of_another_partner_are_not_found() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    let event = service.paid();
    service.deliver(&event).await.unwrap();
    let delivery = format!("{webhook}/deliveries/{}", event.id);
    for (method, path, body) in [
        (Method::GET, webhook.clone(), None),
        (Method::PATCH, webhook.clone(), Some(json!({"enabled": false}))),
        (Method::DELETE, webhook.clone(), None),
        (Method::GET, format!("{webhook}/deliveries"), None),
        (Method::GET, delivery.clone(), None),
        (Method::POST, format!("{delivery}/resend"), None),
    ] {
        let response = service.call(machine("client2"), method.clone(), &path, None, body.as_ref()).await;
        assert_eq!(response.problem(), (404, "not-found"), "{method} {path}");
    }
    assert_eq!(service.get(&webhook).await.body["enabled"], json!(true));
    let theirs = service.call(machine("client2"), Method::GET, "/webhooks", None, None).await;
    assert_eq!(theirs.body["webhooks"], json!([]));
}

#[tokio::test]
async fn invalid_ids_are_reported_by_name() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    assert_eq!(service.get("/webhooks/17").await.error_locations(), ["webhook_id"]);
    assert_eq!(service.get(&format!("{webhook}/deliveries/17")).await.error_locations(), ["event_id"]);
    assert_eq!(
        service.get(&format!("{webhook}/deliveries?limit=0&cursor=MTc")).await.error_locations(),
        ["limit", "cursor"]
    );
}
