//! `GET /health`: the result of `check-health`, which places an order through the API and every queue.

use domain::SYNTHETIC_CUSTOMER_ID;
use http::{Method, StatusCode};
use serde_json::json;

use crate::exclusive;

#[tokio::test]
async fn a_healthy_shop_reports_ok_publicly() {
    let (stack, _guard) = exclusive().await;
    stack.create_product(100, 1).await.unwrap();
    let mut found = stack.invoke("CheckHealth", "{}").await.unwrap();
    let missing = found["missing"].take();
    assert_eq!(found, json!({"healthy": true, "problems": [], "hanging": 0, "missing": null}));
    // The emulator does not know how old messages are.
    assert!([json!([]), json!(["the ages of messages"])].contains(&missing), "{missing}");

    let response = stack.api(Method::GET, "/health", &[("authorization", "")], None).await.unwrap();
    let response = response.expect(StatusCode::OK).unwrap();
    assert_eq!(
        (&response.body["status"], &response.headers["cache-control"]),
        (&json!("ok"), &"public, max-age=30".parse().unwrap())
    );
    let steps: Vec<&str> = response.body["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["step"].as_str().unwrap())
        .collect();
    assert_eq!(steps, ["sign_in", "list_products", "read_product", "place_order", "decide_order"]);

    let path = format!("/orders?customer_id={SYNTHETIC_CUSTOMER_ID}");
    let orders = stack.api(Method::GET, &path, &[], None).await.unwrap().expect(StatusCode::OK).unwrap();
    assert_eq!(
        orders.body["orders"][0]["status"], "rejected",
        "the latest order has reached its final status: {:?}",
        orders.body
    );
}
