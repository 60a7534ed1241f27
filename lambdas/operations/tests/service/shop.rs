//! The client of the shop over HTTP.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use domain::order::OrderStatus;
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use operations::adapters::{HttpShop, OAuthClient};
use operations::shop::{ClientSecret, Shop};
use platform::http_client::{HttpClient, NoResponse};
use platform::lock;
use platform::memory::ManualClock;
use secrecy::SecretString;
use serde_json::Value;

/// An HTTP client that responds depending on the path, and records the requests.
#[derive(Clone, Default)]
struct Gateway(Arc<Mutex<Vec<Request<Bytes>>>>);

#[async_trait]
impl HttpClient for Gateway {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoResponse> {
        let order = r#"{"id":"01a207e7-51d0-774b-bcce-b302099a8057","status":"rejected","placed_at":"2026-11-23T10:15:30Z"}"#;
        let (status, body) = match (request.method().as_str(), request.uri().path()) {
            (_, "/oauth2/token") => {
                (200, r#"{"access_token":"t-1","expires_in":3600,"token_type":"Bearer"}"#.to_owned())
            }
            (_, "/v1/products") => {
                (200, r#"{"products":[{"sku":"TEA-1","name":"Tea"}],"next_cursor":null}"#.to_owned())
            }
            ("POST", "/v1/orders") => (201, order.to_owned()),
            (_, "/v1/orders") => (200, format!("{{\"orders\":[{order}],\"next_cursor\":null}}")),
            (_, path) if path.starts_with("/v1/orders/") => (200, order.to_owned()),
            (_, "/v1/products/TEA-1") => (401, "{}".to_owned()),
            _ => (200, r#"{"secret":"x"}"#.to_owned()),
        };
        lock(&self.0).push(request);
        Ok(Response::builder().status(status).body(body.into()).unwrap())
    }
}

struct FixedSecret;

#[async_trait]
impl ClientSecret for FixedSecret {
    async fn read(&self) -> anyhow::Result<SecretString> {
        Ok(SecretString::from("open sesame"))
    }
}

fn shop(gateway: &Gateway, clock: &Arc<ManualClock>) -> impl Shop + use<> {
    let client = OAuthClient { id: "health".to_owned(), token_url: "http://login/oauth2/token".to_owned() };
    HttpShop::new(gateway.clone(), FixedSecret, client, "http://api/v1/", clock.clone())
}

#[tokio::test]
async fn a_customer_signs_in_and_orders_a_product_that_does_not_exist() {
    let (gateway, clock) = (Gateway::default(), Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)));
    let shop = shop(&gateway, &clock);
    shop.sign_in().await.unwrap();
    assert_eq!(shop.any_product().await.unwrap().unwrap().as_str(), "TEA-1");
    let order = shop.place_order("key-1").await.unwrap();
    assert_eq!(shop.order_status(order).await.unwrap(), OrderStatus::Rejected);
    assert_eq!(shop.latest_orders().await.unwrap()[0].id, order);
    let requests = std::mem::take(&mut *lock(&gateway.0));
    // Each of the other routes has to be public or authorized by the scope health/check.
    let sent: Vec<_> = requests[1..]
        .iter()
        .map(|request| format!("{} {}", request.method(), request.uri().path()))
        .collect();
    let order = format!("GET /v1/orders/{order}");
    assert_eq!(sent, ["GET /v1/products", "POST /v1/orders", order.as_str(), "GET /v1/orders"]);
    assert_eq!(requests[0].headers()["authorization"], "Basic aGVhbHRoOm9wZW4gc2VzYW1l");
    assert!(requests[1..].iter().all(|request| request.headers()["authorization"] == "Bearer t-1"));
    assert_eq!(requests[2].headers()["idempotency-key"], "key-1");
    let body: Value = serde_json::from_slice(requests[2].body()).unwrap();
    assert_eq!(
        (&body["customer"]["id"], &body["customer"]["email"]),
        (&"synthetic-customer".into(), &"success@simulator.amazonses.com".into())
    );
    assert_eq!(requests[4].uri().query(), Some("customer_id=synthetic-customer&limit=100"));
}

#[tokio::test]
async fn a_token_is_reused_for_half_its_lifetime_or_until_it_is_rejected() {
    let (gateway, clock) = (Gateway::default(), Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)));
    let shop = shop(&gateway, &clock);
    let token_requests =
        || lock(&gateway.0).iter().filter(|request| request.uri().path() == "/oauth2/token").count();
    shop.sign_in().await.unwrap();
    clock.advance(SignedDuration::from_secs(1799));
    shop.sign_in().await.unwrap();
    assert_eq!(token_requests(), 1);
    clock.advance(SignedDuration::from_secs(1));
    shop.sign_in().await.unwrap();
    assert_eq!(token_requests(), 2);
    let refused = shop.read_product(&"TEA-1".parse().unwrap()).await.unwrap_err().to_string();
    assert!(refused.contains("responded with 401"), "{refused}");
    shop.sign_in().await.unwrap();
    assert_eq!(token_requests(), 3);
    let invalid = shop.read_product(&"TEA-2".parse().unwrap()).await.unwrap_err().to_string();
    assert!(invalid.contains("cannot be parsed") && !invalid.contains("t-1"), "{invalid}");
}
