//! The limit on the orders of a customer.

use axum::body::Body;
use futures::future::join_all;
use http::{Request, StatusCode};
use jiff::SignedDuration;
use platform::http::Caller;
use serde_json::Value;

use crate::support::{
    LIMIT, Service, TestResponse, customer, health_check, order, own_order, partner, staff, synthetic_order,
};

async fn place(service: &Service, caller: &Caller, path: &str, key: &str, body: &Value) -> TestResponse {
    let request =
        Request::post(path).header("content-type", "application/json").header("idempotency-key", key);
    service.call_as(caller.clone(), request.body(Body::from(body.to_string())).unwrap()).await
}

/// Places so many orders, one after the other, and returns the statuses.
async fn place_many(
    service: &Service,
    caller: &Caller,
    path: &str,
    body: &Value,
    count: u32,
) -> Vec<StatusCode> {
    let mut statuses = Vec::new();
    for number in 0..count {
        statuses.push(place(service, caller, path, &format!("many-{number}"), body).await.status);
    }
    statuses
}

#[tokio::test]
async fn a_customer_beyond_the_limit_gets_a_429_until_the_next_window() {
    let service = Service::new();
    let ada = customer("ada");
    let placed = place_many(&service, &ada, "/orders", &own_order(), LIMIT.max_orders).await;
    assert!(placed.iter().all(|status| *status == StatusCode::CREATED), "{placed:?}");

    let refused = place(&service, &ada, "/orders", "next", &own_order()).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.body["type"], "urn:serverless-orders:problem:order-limit-reached");
    assert_eq!(service.pending_count(), 5, "nothing was placed");
    let wait = refused.retry_after.unwrap();
    assert!((1..=600).contains(&wait), "{wait}");
    assert!(refused.text.contains(&format!("in {wait} seconds")), "{}", refused.text);

    assert_eq!(
        place(&service, &customer("eve"), "/orders", "k", &own_order()).await.status,
        StatusCode::CREATED
    );
    service.clock.advance(SignedDuration::from_secs(wait - 1));
    assert_eq!(place(&service, &ada, "/orders", "next", &own_order()).await.retry_after, Some(1));
    service.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(place(&service, &ada, "/orders", "next", &own_order()).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn retries_and_invalid_orders_are_not_counted() {
    let service = Service::new();
    let ada = customer("ada");
    let first = place(&service, &ada, "/orders", "first", &own_order()).await;
    for _ in 0..10 {
        let again = place(&service, &ada, "/orders", "first", &own_order()).await;
        assert_eq!((again.status, again.id()), (StatusCode::CREATED, first.id()));
    }
    let mut invalid = own_order();
    invalid["lines"][0]["quantity"] = 0.into();
    place_many(&service, &ada, "/orders", &invalid, 10).await;
    let more = place_many(&service, &ada, "/orders", &own_order(), LIMIT.max_orders).await;
    let placed = more.iter().filter(|status| **status == StatusCode::CREATED).count();
    assert_eq!(placed, 4, "{more:?}");
    let again = place(&service, &ada, "/orders", "first", &own_order()).await;
    assert_eq!((again.status, again.id()), (StatusCode::CREATED, first.id()), "at the limit");
}

#[tokio::test]
async fn concurrent_orders_do_not_exceed_the_limit() {
    let service = Service::new();
    let (ada, body) = (customer("ada"), own_order());
    let keys: Vec<String> = (0..40).map(|number| format!("key-{number}")).collect();
    let responses = join_all(keys.iter().map(|key| place(&service, &ada, "/orders", key, &body))).await;
    let placed = responses.iter().filter(|response| response.status == StatusCode::CREATED).count();
    assert_eq!(placed, 5);
    assert!(responses.iter().all(|response| matches!(response.status.as_u16(), 201 | 429)));
    assert_eq!(service.pending_count(), 5);
}

#[tokio::test]
async fn staff_partners_and_the_health_check_are_not_counted() {
    let service = Service::new();
    for (caller, path, body) in [
        (staff(), "/orders", order()),
        (partner("client1"), "/partner/orders", order()),
        (health_check([platform::http::Scope::HealthCheck]), "/orders", synthetic_order()),
    ] {
        let statuses = place_many(&service, &caller, path, &body, 2 * LIMIT.max_orders).await;
        assert!(statuses.iter().all(|status| *status == StatusCode::CREATED), "{caller:?} {statuses:?}");
    }
}
