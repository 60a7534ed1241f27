//! Access control and rate limits: tokens, scopes, ownership of orders, signatures, usage plans.

mod customers;
mod machines;
mod partners;
mod tokens;

use end_to_end::{ApiResponse, NewOrder, Stack, User};
use http::{Method, StatusCode};
use serde_json::Value;
use uuid::Uuid;

/// Sends a request with a user's token.
async fn call(stack: &Stack, user: &User, method: Method, path: &str, body: Option<&Value>) -> ApiResponse {
    stack.api(method, path, &[("authorization", &user.bearer)], body).await.unwrap()
}

/// Places an order as a customer does, without a customer id in the body.
async fn place(stack: &Stack, user: &User) -> String {
    let product = stack.create_product(1000, 5).await.unwrap();
    let order = NewOrder::new(&product, 1, "pm_card_visa").by(user).body;
    let key = Uuid::new_v4().to_string();
    let headers = [("authorization", user.bearer.as_str()), ("idempotency-key", &key)];
    let response = stack.api(Method::POST, "/orders", &headers, Some(&order)).await.unwrap();
    let response = response.expect(StatusCode::CREATED).unwrap();
    assert_eq!(response.body["customer"]["id"], user.id);
    response.body["id"].as_str().unwrap().to_owned()
}

/// Asserts that a response is a problem document of this kind, in the format that all of them share.
pub(crate) fn assert_problem(response: &ApiResponse, status: StatusCode, kind: &str) {
    assert_eq!(response.status, status, "{response:?}");
    assert_eq!(response.headers["content-type"], "application/problem+json", "{response:?}");
    assert_eq!(response.body["type"], format!("urn:serverless-orders:problem:{kind}"), "{response:?}");
    assert_eq!(response.body["status"], status.as_u16(), "{response:?}");
    for field in ["title", "detail", "correlation_id"] {
        assert!(response.body[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {response:?}");
    }
    assert_eq!(response.headers["x-correlation-id"], response.body["correlation_id"].as_str().unwrap());
}
