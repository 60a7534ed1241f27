//! Products and deliveries.

use http::StatusCode;
use inventory::store::{DeliveryOutcome, Products};
use platform::http::{Caller, Scope};
use serde_json::{Value, json};

use crate::support::{Service, staff};

#[tokio::test]
async fn updating_a_product_keeps_its_stock() {
    let service = Service::with_stock(&[("TEA-001", 5)]).await;
    service.reserve(1, &[("TEA-001", 2)]).await;
    let changed = service.put(
        "/products/TEA-001",
        json!({"name": "Darjeeling", "price": {"amount": 1300, "currency": "EUR"}}),
    );
    let expected = json!({
        "sku": "TEA-001", "name": "Darjeeling", "price": {"amount": 1300, "currency": "EUR"},
        "revision": 2, "available": 3, "held": 2, "sold": 0,
    });
    assert_eq!(changed.await.body, expected);
    assert_eq!(service.get("/products/TEA-001").await.body, expected);
}

#[tokio::test]
async fn a_delivery_is_recorded_once() {
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
async fn a_delivery_that_exceeds_the_maximum_stock_is_a_conflict() {
    let service = Service::with_stock(&[("TEA-001", 1)]).await;
    let sku = "TEA-001".parse().unwrap();
    for number in 1..1000 {
        let delivery = format!("d-{number}").parse().unwrap();
        let recorded = service.tables.inner.record_delivery(&sku, &delivery, 1_000_000).await.unwrap();
        assert_eq!(recorded, DeliveryOutcome::Recorded);
    }
    let last = service.put("/products/TEA-001/deliveries/last", json!({"quantity": 1_000_000})).await;
    assert_eq!(
        (last.status, &last.body["type"]),
        (StatusCode::CONFLICT, &json!("urn:serverless-orders:problem:stock-too-large"))
    );
    assert_eq!(service.stock("TEA-001").await, [999_000_001, 0, 0]);
}

#[tokio::test]
async fn unknown_products_return_404_and_invalid_skus_400() {
    let service = Service::new();
    assert_eq!(service.get("/products/TEA-001").await.status, StatusCode::NOT_FOUND);
    let delivery = service.put("/products/TEA-001/deliveries/d-1", json!({"quantity": 1})).await;
    assert_eq!(delivery.status, StatusCode::NOT_FOUND);
    for path in ["/products/a%20b", "/products/%C3%BC"] {
        let response = service.get(path).await;
        assert_eq!(
            (response.status, &response.body["errors"][0]["parameter"]),
            (StatusCode::BAD_REQUEST, &json!("sku"))
        );
    }
}

#[tokio::test]
async fn products_are_listed_in_pages() {
    let service = Service::with_stock(&[("A", 1), ("B", 1), ("C", 1)]).await;
    let first = service.get("/products?limit=2").await.body;
    assert_eq!(first["products"].as_array().unwrap().len(), 2);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = service.get(&format!("/products?limit=2&cursor={cursor}")).await.body;
    assert_eq!((&second["products"][0]["sku"], &second["next_cursor"]), (&json!("C"), &Value::Null));
    assert_eq!(service.get("/products?limit=0").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn products_support_conditional_requests() {
    let service = Service::new();
    let put = async |headers: &[(&str, &str)], cents: u32| {
        let body = json!({"name": "Tea", "price": {"amount": cents, "currency": "EUR"}});
        service.call_as(staff(), "PUT", "/products/TEA-001", headers, Some(body)).await
    };
    assert_eq!(put(&[("if-match", "*")], 1).await.status, StatusCode::PRECONDITION_FAILED);
    let created = put(&[("if-none-match", "*")], 100).await;
    assert_eq!((created.status, created.tag.as_deref()), (StatusCode::OK, Some("\"1\"")));
    assert_eq!(put(&[("if-none-match", "*")], 1).await.status, StatusCode::PRECONDITION_FAILED);
    // Stock changes do not change the ETag.
    service.put("/products/TEA-001/deliveries/d-1", json!({"quantity": 3})).await;
    assert_eq!(service.get("/products/TEA-001").await.tag.as_deref(), Some("\"1\""));
    let changed = put(&[("if-match", "\"1\"")], 200).await;
    assert_eq!((changed.status, changed.tag.as_deref()), (StatusCode::OK, Some("\"2\"")));
    let late = put(&[("if-match", "\"1\"")], 300).await;
    assert_eq!(late.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(late.body["type"], "urn:serverless-orders:problem:precondition-failed");
    let found = service.get("/products/TEA-001").await.body;
    assert_eq!((&found["price"]["amount"], &found["available"]), (&json!(200), &json!(3)));
    assert_eq!(put(&[("if-match", "1")], 300).await.body["errors"][0]["header"], "If-Match");
}

#[tokio::test]
async fn every_request_for_a_product_honours_if_match() {
    let service = Service::with_stock(&[("TEA-001", 5)]).await;
    let call = async |method: &str, path: &str, tag: &str| {
        let body = (method == "PUT").then(|| json!({"quantity": 1}));
        service.call_as(staff(), method, path, &[("if-match", tag)], body).await.status
    };
    let delivery = "/products/TEA-001/deliveries/d-2";
    for (method, path) in [("PUT", delivery), ("GET", "/products/TEA-001"), ("HEAD", "/products/TEA-001")] {
        assert_eq!(call(method, path, "\"9\"").await, StatusCode::PRECONDITION_FAILED, "{method}");
        assert_eq!(service.stock("TEA-001").await, [5, 0, 0], "{method}");
    }
    for (method, path) in [("GET", "/products/TEA-001"), ("HEAD", "/products/TEA-001"), ("PUT", delivery)] {
        assert_eq!(call(method, path, "\"1\"").await, StatusCode::OK, "{method}");
        assert_eq!(call(method, path, "*").await, StatusCode::OK, "{method}");
    }
    assert_eq!(service.stock("TEA-001").await, [6, 0, 0]);
    assert_eq!(call("GET", "/products/TEA-002", "\"1\"").await, StatusCode::NOT_FOUND);
    assert_eq!(call("PUT", "/products/TEA-002/deliveries/d-1", "\"1\"").await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn routes_require_their_callers_and_scopes() {
    let service = Service::with_stock(&[("A", 1)]).await;
    let call = async |caller: Caller, method: &str, path: &str| {
        service.call_as(caller, method, path, &[], Some(json!({}))).await.status
    };
    let customer = Caller::User {
        id: "ada".parse().unwrap(),
        is_staff: false,
        scopes: [Scope::OrdersRead, Scope::OrdersWrite].into_iter().collect(),
    };
    for path in ["/products/A", "/products/A/deliveries/d"] {
        assert_eq!(call(Caller::Anonymous, "PUT", path).await, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(call(customer.clone(), "PUT", path).await, StatusCode::FORBIDDEN, "{path}");
    }
    let reservation = "/reservations/01890a5d-ac96-774b-bcce-b302099a8057";
    for (method, path) in [("GET", ""), ("PUT", ""), ("POST", "/commit"), ("POST", "/release")] {
        for caller in [Caller::Anonymous, customer.clone(), staff()] {
            let path = format!("{reservation}{path}");
            assert_eq!(call(caller.clone(), method, &path).await, StatusCode::FORBIDDEN, "{caller:?} {path}");
        }
    }
    assert_eq!(call(Caller::Anonymous, "GET", "/products/A").await, StatusCode::OK);
}
