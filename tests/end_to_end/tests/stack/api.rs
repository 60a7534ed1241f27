//! The API's responses to valid and invalid requests.

use bytes::Bytes;
use end_to_end::{ApiResponse, NewOrder, Stack};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::access::assert_problem;
use crate::shared;

#[tokio::test]
async fn the_same_key_and_body_create_one_order_and_the_same_response() {
    let (stack, _guard) = shared().await;
    let product = stack.create_product(1000, 20).await.unwrap();
    let order = NewOrder::new(&product, 1, "pm_card_visa");
    let key = Uuid::new_v4().to_string();
    let responses = futures::future::try_join_all((0..6).map(|_| stack.place_order_with_key(&order, &key)))
        .await
        .unwrap();
    // Of concurrent requests, some may be asked to retry; none creates a second order.
    let created: Vec<_> =
        responses.iter().filter(|response| response.status == StatusCode::CREATED).collect();
    assert!(!created.is_empty());
    assert!(
        responses
            .iter()
            .all(|response| [StatusCode::CREATED, StatusCode::SERVICE_UNAVAILABLE].contains(&response.status))
    );
    let id = created[0].body["id"].as_str().unwrap();
    assert_eq!(created[0].headers["location"], format!("/v1/orders/{id}"));
    stack.wait_for_status(id, "paid").await;
    let replayed = stack.place_order_with_key(&order, &key).await.unwrap();
    for response in created.iter().copied().chain([&replayed]) {
        assert_eq!((response.status, &response.body), (StatusCode::CREATED, &created[0].body));
    }
    let list = format!("/orders?customer_id={}", order.body["customer"]["id"].as_str().unwrap());
    let listed = stack.api(Method::GET, &list, &[], None).await.unwrap();
    assert_eq!(listed.body["orders"].as_array().map(Vec::len), Some(1), "{listed:?}");
    stack.wait_for_stock(&product, (19, 0, 1)).await;

    let other = NewOrder {
        body: {
            let mut body = order.body.clone();
            body["lines"][0]["quantity"] = 2.into();
            body
        },
        ..order
    };
    let rejected = stack.place_order_with_key(&other, &key).await.unwrap();
    assert_eq!(rejected.status, StatusCode::UNPROCESSABLE_ENTITY, "{rejected:?}");
    assert_eq!(rejected.body["type"], "urn:serverless-orders:problem:idempotency-key-reused");
}

#[tokio::test]
async fn the_orders_of_a_customer_are_paginated() {
    let (stack, _guard) = shared().await;
    let product = stack.create_product(100, 10).await.unwrap();
    let order = NewOrder::new(&product, 1, "pm_card_visa");
    let mut placed = Vec::new();
    for _ in 0..5 {
        placed.push(stack.place_order(&order).await.unwrap());
    }
    placed.reverse();
    let first = format!("/orders?customer_id={}&limit=2", order.body["customer"]["id"].as_str().unwrap());
    let (mut path, mut listed) = (first.clone(), Vec::new());
    loop {
        let page =
            stack.api(Method::GET, &path, &[], None).await.unwrap().expect(StatusCode::OK).unwrap().body;
        let orders = page["orders"].as_array().unwrap();
        assert!(orders.len() <= 2);
        listed.extend(orders.iter().map(|order| order["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("{first}&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(listed, placed, "newest first, each once");
}

/// Returns the body of an order with a change.
fn changed(valid: &Value, change: impl Fn(&mut Value)) -> Value {
    let mut body = valid.clone();
    change(&mut body);
    body
}

async fn assert_invalid(stack: &Stack, body: &Value) -> ApiResponse {
    let key = Uuid::new_v4().to_string();
    let response =
        stack.api(Method::POST, "/orders", &[("idempotency-key", &key)], Some(body)).await.unwrap();
    assert_eq!(response.status, StatusCode::BAD_REQUEST, "{body}: {response:?}");
    assert_eq!(response.headers["content-type"], "application/problem+json");
    assert_eq!(response.body["type"], "urn:serverless-orders:problem:invalid-request");
    assert!(response.body["correlation_id"].is_string(), "{response:?}");
    response
}

#[tokio::test]
async fn every_error_of_a_body_names_its_field() {
    let (stack, _guard) = shared().await;
    let product = stack.create_product(100, 1).await.unwrap();
    let valid = NewOrder::new(&product, 1, "pm_card_visa").body;
    let line = valid["lines"][0].clone();
    let quantity = "/lines/0/quantity";
    for (body, expected) in [
        (json!({}), vec!["/customer", "/lines", "/payment_method"]),
        (json!([]), vec![""]),
        (changed(&valid, |body| body["lines"] = json!([])), vec!["/lines"]),
        (changed(&valid, |body| body["lines"] = vec![line.clone(); 51].into()), vec!["/lines"]),
        (changed(&valid, |body| body["lines"][0]["quantity"] = 0.into()), vec![quantity]),
        (changed(&valid, |body| body["lines"][0]["quantity"] = (-1).into()), vec![quantity]),
        (changed(&valid, |body| body["lines"][0]["quantity"] = 1000.into()), vec![quantity]),
        (changed(&valid, |body| body["lines"][0]["quantity"] = json!(1.5)), vec![quantity]),
        (
            changed(&valid, |body| body["lines"][0]["unit_price"] = json!([100, "EUR"])),
            vec!["/lines/0/unit_price"],
        ),
        (
            changed(&valid, |body| {
                body["lines"][0]["unit_price"] = json!({ "amount": 1e30, "currency": "euro" });
            }),
            vec!["/lines/0/unit_price/amount", "/lines/0/unit_price/currency"],
        ),
        (changed(&valid, |body| body["customer"]["email"] = "ada".into()), vec!["/customer/email"]),
        (changed(&valid, |body| body["customer"]["name"] = "".into()), vec!["/customer/name"]),
        (changed(&valid, |body| body["payment_method"] = 7.into()), vec!["/payment_method"]),
        (changed(&valid, |body| body["coupon"] = "free".into()), vec!["/coupon"]),
    ] {
        let response = assert_invalid(&stack, &body).await;
        let mut locations = response.error_locations();
        locations.sort_unstable();
        assert_eq!(locations, expected, "{body}: {response:?}");
    }
    let without_key = stack
        .api(Method::POST, "/orders", &[], Some(&changed(&valid, |body| body["coupon"] = 1.into())))
        .await;
    let without_key = without_key.unwrap().expect(StatusCode::BAD_REQUEST).unwrap();
    assert_eq!(without_key.error_locations(), ["Idempotency-Key", "/coupon"], "{without_key:?}");
}

#[tokio::test]
async fn errors_beyond_the_contract_are_reported_per_field() {
    let (stack, _guard) = shared().await;
    let product = stack.create_product(100, 1).await.unwrap();
    let valid = NewOrder::new(&product, 1, "pm_card_visa").body;
    let line = valid["lines"][0].clone();
    for (body, locations) in [
        (changed(&valid, |body| body["lines"] = json!([line, line])), vec!["/lines"]),
        (
            changed(&valid, |body| {
                body["lines"][0]["unit_price"]["amount"] = 99_999_999.into();
                body["lines"][0]["quantity"] = 999.into();
            }),
            vec!["/lines"],
        ),
        (
            changed(&valid, |body| {
                body["lines"] = json!([line, line]);
                body["customer"].as_object_mut().unwrap().remove("id");
            }),
            vec!["/customer/id", "/lines"],
        ),
    ] {
        assert_eq!(assert_invalid(&stack, &body).await.error_locations(), locations, "{body}");
    }
}

#[tokio::test]
async fn malformed_requests_return_a_problem_document() {
    let (stack, _guard) = shared().await;
    let key = ("idempotency-key", "k");
    let json = ("content-type", "application/json");
    let product = stack.create_product(100, 1).await.unwrap();
    let large = NewOrder::new(&product, 1, "pm_card_visa").body.to_string() + &" ".repeat(70_000);
    let cases: [(Vec<_>, Bytes, _); 7] = [
        (vec![key, json], Bytes::from_static(b"{"), StatusCode::BAD_REQUEST),
        (vec![key, json], Bytes::from_static(b"[[[[[["), StatusCode::BAD_REQUEST),
        (vec![key, json], Bytes::from_static(b"null"), StatusCode::BAD_REQUEST),
        (vec![key, json], "[".repeat(50_000).into(), StatusCode::BAD_REQUEST),
        (vec![key, json], Bytes::from_static(b"\xff\xfe\x00"), StatusCode::BAD_REQUEST),
        (vec![key, json], large.into(), StatusCode::PAYLOAD_TOO_LARGE),
        (
            vec![key, ("content-type", "text/xml")],
            NewOrder::new(&product, 1, "pm_card_visa").body.to_string().into(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
    ];
    for (headers, body, status) in cases {
        let shown = String::from_utf8_lossy(&body).chars().take(30).collect::<String>();
        let response = stack.send_raw(Method::POST, "/orders", &headers, body).await.unwrap();
        assert_eq!(response.status, status, "{shown}: {response:?}");
        assert_eq!(response.headers["content-type"], "application/problem+json", "{shown}");
    }
    for (method, path, status) in [
        (Method::GET, "/orders/no-uuid", StatusCode::BAD_REQUEST),
        (Method::GET, "/orders/01890a5d-ac96-774b-bcce-b302099a8057", StatusCode::NOT_FOUND),
        (Method::POST, "/orders/01890a5d-ac96-774b-bcce-b302099a8057/cancel", StatusCode::NOT_FOUND),
        (Method::GET, "/orders", StatusCode::BAD_REQUEST),
        (Method::GET, "/orders?customer_id=c&limit=0", StatusCode::BAD_REQUEST),
        (Method::GET, "/orders?customer_id=c&limit=many&cursor=%00", StatusCode::BAD_REQUEST),
        (Method::GET, "/products/NO-SUCH-PRODUCT", StatusCode::NOT_FOUND),
        (Method::GET, "/products/A%2FB", StatusCode::BAD_REQUEST),
        (Method::GET, "/products/A%20B", StatusCode::BAD_REQUEST),
        (Method::GET, "/products?limit=101", StatusCode::BAD_REQUEST),
    ] {
        let response = stack.api(method.clone(), path, &[], None).await.unwrap();
        assert_eq!(response.status, status, "{method} {path}: {response:?}");
        assert_eq!(response.headers["content-type"], "application/problem+json", "{method} {path}");
    }
}

#[tokio::test]
async fn a_correlation_id_is_returned_in_the_response() {
    let (stack, _guard) = shared().await;
    let sent = Uuid::new_v4().to_string();
    let response = stack.api(Method::GET, "/products", &[("x-correlation-id", &sent)], None).await.unwrap();
    assert_eq!(response.headers["x-correlation-id"], sent.as_str());
    let generated =
        stack.api(Method::GET, "/products", &[("x-correlation-id", "not valid")], None).await.unwrap();
    assert_ne!(generated.headers["x-correlation-id"], "not valid");
}

#[tokio::test]
async fn a_stock_delivery_is_recorded_once() {
    let (stack, _guard) = shared().await;
    let product = stack.create_product(100, 0).await.unwrap();
    let path = format!("/products/{}/deliveries/ship-1", product.sku);
    let deliver = async |quantity: u32| {
        stack.api(Method::PUT, &path, &[], Some(&json!({ "quantity": quantity }))).await.unwrap().status
    };
    assert_eq!(deliver(7).await, StatusCode::OK);
    assert_eq!(deliver(7).await, StatusCode::OK);
    assert_eq!(deliver(8).await, StatusCode::CONFLICT);
    assert_eq!(deliver(0).await, StatusCode::BAD_REQUEST);
    assert_eq!(stack.stock(&product).await.unwrap(), (7, 0, 0));
}

#[tokio::test]
async fn products_support_conditional_requests() {
    let (stack, _guard) = shared().await;
    let staff = stack.create_staff().await.unwrap();
    let product = stack.create_product(100, 3).await.unwrap();
    let path = format!("/products/{}", product.sku);
    let tag =
        stack.api(Method::GET, &path, &[("authorization", "")], None).await.unwrap().headers["etag"].clone();
    let put = async |name: &'static str, value: &str, cents: u32| {
        let body = json!({ "name": "Darjeeling", "price": { "amount": cents, "currency": "EUR" } });
        let headers = [("authorization", staff.bearer.as_str()), (name, value)];
        stack.api(Method::PUT, &path, &headers, Some(&body)).await.unwrap()
    };
    let tag = tag.to_str().unwrap();
    assert_eq!(put("if-match", tag, 200).await.status, StatusCode::OK);
    assert_problem(&put("if-match", tag, 300).await, StatusCode::PRECONDITION_FAILED, "precondition-failed");
    assert_problem(
        &put("if-none-match", "*", 300).await,
        StatusCode::PRECONDITION_FAILED,
        "precondition-failed",
    );
    let found = stack.api(Method::GET, &path, &[], None).await.unwrap();
    assert_eq!((&found.body["price"]["amount"], &found.body["available"]), (&json!(200), &json!(3)));
}

#[tokio::test]
async fn cors_allows_only_the_configured_origins() {
    let (stack, _guard) = shared().await;
    let origins = stack.parameter("AllowedOrigins").await.unwrap();
    let origin = origins.split(',').next().unwrap_or_default();
    let preflight = async |origin: &str, path: &str| {
        let headers = [
            ("authorization", ""),
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization,idempotency-key"),
        ];
        stack.api(Method::OPTIONS, path, &headers, None).await.unwrap()
    };
    for path in ["/orders", "/orders/x", "/orders/x/cancel", "/me", "/products", "/products/x"] {
        let strange = preflight("https://evil.example", path).await;
        assert!(!strange.headers.contains_key("access-control-allow-origin"), "{path}: {strange:?}");
        if origin.is_empty() {
            continue;
        }
        let allowed = preflight(origin, path).await;
        assert_eq!(allowed.headers["access-control-allow-origin"], origin, "{path}: {allowed:?}");
    }
    if origin.is_empty() {
        return;
    }
    // The page can also read error responses.
    let headers = [("authorization", ""), ("origin", origin)];
    let response = stack.api(Method::GET, "/orders", &headers, None).await.unwrap();
    assert_problem(&response, StatusCode::UNAUTHORIZED, "unauthorized");
    assert_eq!(response.headers["access-control-allow-origin"], origin);
    let strange = [("authorization", ""), ("origin", "https://strange.example.com")];
    let response = stack.api(Method::GET, "/orders", &strange, None).await.unwrap();
    assert_ne!(response.headers["access-control-allow-origin"], "https://strange.example.com");
}

#[tokio::test]
async fn an_unknown_route_returns_a_problem_document() {
    let (stack, _guard) = shared().await;
    for (method, path) in [
        (Method::GET, "/nothing/here"),
        (Method::DELETE, "/orders"),
        (Method::GET, "/reservations/01890a5d-ac96-774b-bcce-b302099a8057"),
    ] {
        let response = stack.api(method.clone(), path, &[("authorization", "")], None).await.unwrap();
        assert_problem(&response, StatusCode::NOT_FOUND, "not-found");
    }
    // The API reference, as a page and as an OpenAPI document.
    for (path, media_type) in [("/reference", "text/html"), ("/openapi.json", "application/json")] {
        let response = stack.api(Method::GET, path, &[("authorization", "")], None).await.unwrap();
        assert_eq!(response.status, StatusCode::OK, "{path}");
        let found = response.headers["content-type"].to_str().unwrap();
        assert!(found.starts_with(media_type), "{path}: {found}");
    }
}
