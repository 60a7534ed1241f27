//! Products and deliveries.

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::Service;

#[tokio::test]
async fn a_product_is_named_and_priced_and_keeps_its_stock() {
    let service = Service::with_stock(&[("TEA-001", 5)]).await;
    service.reserve(1, &[("TEA-001", 2)]).await;
    let changed = service.put(
        "/products/TEA-001",
        json!({"name": "Darjeeling", "price": {"amount": 1300, "currency": "EUR"}}),
    );
    let expected = json!({
        "sku": "TEA-001", "name": "Darjeeling", "price": {"amount": 1300, "currency": "EUR"},
        "available": 3, "held": 2, "sold": 0,
    });
    assert_eq!(changed.await.body, expected);
    assert_eq!(service.get("/products/TEA-001").await.body, expected);
}

#[tokio::test]
async fn a_delivery_counts_once() {
    let service = Service::with_stock(&[("TEA-001", 0)]).await;
    let deliver =
        |quantity: Value| service.put("/products/TEA-001/deliveries/d-1", json!({"quantity": quantity}));
    for _ in 0..2 {
        assert_eq!(deliver(json!(10)).await.body["available"], 10);
    }
    let other = deliver(json!(11)).await;
    assert_eq!(
        (other.status, &other.body["type"]),
        (StatusCode::CONFLICT, &json!("urn:serverless-orders:problem:delivery-differs"))
    );
    for bad in [json!(0), json!(-1), json!(1_000_001), json!("ten"), json!(1.5)] {
        let refused = deliver(bad.clone()).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{bad}");
        assert_eq!(refused.body["errors"][0]["pointer"], "/quantity", "{bad}");
    }
    assert_eq!(service.stock("TEA-001").await, [10, 0, 0]);
}

#[tokio::test]
async fn what_is_not_there_and_what_is_no_sku() {
    let service = Service::new();
    assert_eq!(service.get("/products/TEA-001").await.status, StatusCode::NOT_FOUND);
    let delivery = service.put("/products/TEA-001/deliveries/d-1", json!({"quantity": 1})).await;
    assert_eq!(delivery.status, StatusCode::NOT_FOUND);
    for path in ["/products/a%20b", "/products/%C3%BC"] {
        let answer = service.get(path).await;
        assert_eq!(
            (answer.status, &answer.body["errors"][0]["parameter"]),
            (StatusCode::BAD_REQUEST, &json!("sku"))
        );
    }
}

#[tokio::test]
async fn products_come_in_pages() {
    let service = Service::with_stock(&[("A", 1), ("B", 1), ("C", 1)]).await;
    let first = service.get("/products?limit=2").await.body;
    assert_eq!(first["products"].as_array().unwrap().len(), 2);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = service.get(&format!("/products?limit=2&cursor={cursor}")).await.body;
    assert_eq!((&second["products"][0]["sku"], &second["next_cursor"]), (&json!("C"), &Value::Null));
    assert_eq!(service.get("/products?limit=0").await.status, StatusCode::BAD_REQUEST);
}
