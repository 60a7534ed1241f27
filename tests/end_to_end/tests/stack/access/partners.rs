//! Partners: API keys, usage plans, and customers of their own.

use end_to_end::{ApiResponse, NewOrder, Partner, Requirement, Stack};
use http::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

use super::assert_problem;
use crate::{shared, shared_with};

async fn partner_orders(stack: &Stack, partner: &Partner) -> ApiResponse {
    stack.api(Method::GET, "/partner/orders?customer_id=42", &partner.headers(), None).await.unwrap()
}

#[tokio::test]
async fn a_partner_needs_an_api_key_and_sees_only_its_own_customers() {
    let (stack, _guard) = shared().await;
    let (partner, other) = (stack.create_partner().await.unwrap(), stack.create_partner().await.unwrap());
    let without = [("authorization", partner.bearer.as_str())];
    let response = stack.api(Method::GET, "/partner/orders?customer_id=42", &without, None).await.unwrap();
    assert_problem(&response, StatusCode::FORBIDDEN, "forbidden");
    let wrong = [("authorization", partner.bearer.as_str()), ("x-api-key", "guessed")];
    let response = stack.api(Method::GET, "/partner/orders?customer_id=42", &wrong, None).await.unwrap();
    assert_problem(&response, StatusCode::FORBIDDEN, "forbidden");

    let product = stack.create_product(1000, 5).await.unwrap();
    let mut order = NewOrder::new(&product, 1, "pm_card_visa").body;
    order["customer"]["id"] = json!("42");
    let key = Uuid::new_v4().to_string();
    let headers = [&partner.headers()[..], &[("idempotency-key", &key)]].concat();
    let placed = stack.api(Method::POST, "/partner/orders", &headers, Some(&order)).await.unwrap();
    let placed = placed.expect(StatusCode::CREATED).unwrap();
    assert_eq!(placed.body["customer"]["id"], "42");
    let id = placed.body["id"].as_str().unwrap();
    stack.wait_for_status(id, "paid").await;
    let path = format!("/partner/orders/{id}");
    for (caller, status) in [(&partner, StatusCode::OK), (&other, StatusCode::NOT_FOUND)] {
        let read = stack.api(Method::GET, &path, &caller.headers(), None).await.unwrap();
        assert_eq!(read.status, status, "{read:?}");
    }
    assert_eq!(partner_orders(&stack, &partner).await.body["orders"][0]["id"], id);
    assert_eq!(partner_orders(&stack, &other).await.body["orders"], json!([]));
}

#[tokio::test]
async fn a_partner_needs_its_own_api_key() {
    let (stack, _guard) = shared().await;
    let (partner, other) = (stack.create_partner().await.unwrap(), stack.create_partner().await.unwrap());
    let headers = [("authorization", partner.bearer.as_str()), ("x-api-key", other.api_key.as_str())];
    for (method, path) in [
        (Method::GET, "/partner/orders?customer_id=42"),
        (Method::GET, "/webhooks"),
        (Method::GET, "/partner/search/orders"),
    ] {
        let response = stack.api(method.clone(), path, &headers, None).await.unwrap();
        assert_problem(&response, StatusCode::FORBIDDEN, "forbidden");
        let own = stack.api(method, path, &partner.headers(), None).await.unwrap();
        assert_eq!(own.status, StatusCode::OK, "{path}: {own:?}");
    }
}

#[tokio::test]
async fn a_partner_over_its_rate_limit_gets_retry_after() {
    let Some((stack, _guard)) = shared_with(&[Requirement::ExactUsagePlans]).await else { return };
    let plan = json!({ "throttle": { "rateLimit": 0.01, "burstLimit": 3 } });
    let plan = stack.create_usage_plan(&plan).await.unwrap();
    let partner = stack.create_partner_in(&plan).await.unwrap();
    for _ in 0..3 {
        assert_eq!(partner_orders(&stack, &partner).await.status, StatusCode::OK);
    }
    let response = partner_orders(&stack, &partner).await;
    assert_eq!(response.headers["retry-after"], "1", "{response:?}");
    assert_problem(&response, StatusCode::TOO_MANY_REQUESTS, "too-many-requests");
    // The limit does not affect other partners.
    let other = stack.create_partner().await.unwrap();
    assert_eq!(partner_orders(&stack, &other).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_partner_over_its_quota_gets_a_longer_retry_after() {
    let Some((stack, _guard)) = shared_with(&[Requirement::ExactUsagePlans]).await else { return };
    let plan = stack.create_usage_plan(&json!({ "quota": { "limit": 2, "period": "DAY" } })).await.unwrap();
    let partner = stack.create_partner_in(&plan).await.unwrap();
    for _ in 0..2 {
        assert_eq!(partner_orders(&stack, &partner).await.status, StatusCode::OK);
    }
    let response = partner_orders(&stack, &partner).await;
    let wait: u32 = response.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(wait >= 60, "{response:?}");
    assert_problem(&response, StatusCode::TOO_MANY_REQUESTS, "quota-exceeded");
}
