//! Access to orders: by customers, staff, partners and unauthenticated callers.

use axum::body::Body;
use domain::{OrderId, SYNTHETIC_CUSTOMER_ID};
use http::{Method, Request, StatusCode};
use orders::api::routes;
use platform::http::{Caller, Scope};
use serde_json::{Value, json};

use crate::support::{
    Service, TestResponse, customer, health_check, order, own_order, partner, staff, synthetic_order,
};

async fn place(service: &Service, caller: &Caller, path: &str, key: &str, body: &Value) -> TestResponse {
    let request =
        Request::post(path).header("content-type", "application/json").header("idempotency-key", key);
    service.call_as(caller.clone(), request.body(Body::from(body.to_string())).unwrap()).await
}

async fn get(service: &Service, caller: &Caller, path: &str) -> TestResponse {
    service.call_as(caller.clone(), Request::get(path).body(Body::empty()).unwrap()).await
}

async fn cancel(service: &Service, caller: &Caller, path: &str) -> StatusCode {
    let request = Request::post(format!("{path}/cancel")).body(Body::empty()).unwrap();
    service.call_as(caller.clone(), request).await.status
}

#[tokio::test]
async fn customers_access_only_their_own_orders() {
    let service = Service::new();
    let (ada, eve) = (customer("ada"), customer("eve"));
    let placed = place(&service, &ada, "/orders", "k", &own_order()).await;
    assert_eq!((placed.status, &placed.body["customer"]["id"]), (StatusCode::CREATED, &json!("ada")));
    let path = format!("/orders/{}", placed.id());
    assert_eq!(get(&service, &ada, &path).await.status, StatusCode::OK);

    let hidden = get(&service, &eve, &path).await;
    let absent = get(&service, &eve, "/orders/01890a5d-ac96-774b-bcce-b302099a8057").await;
    assert_eq!((hidden.status, absent.status), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
    assert_eq!(
        hidden.body["type"], absent.body["type"],
        "the response does not reveal whether the order exists"
    );
    assert_eq!(cancel(&service, &eve, &path).await, StatusCode::NOT_FOUND);
    assert_eq!(service.pending_count(), 1, "no cancellation was requested");

    for (who, count) in [(&ada, 1), (&eve, 0)] {
        let own = get(&service, who, "/orders").await.body;
        assert_eq!(own["orders"].as_array().unwrap().len(), count);
    }
    let other = get(&service, &eve, "/orders?customer_id=ada").await;
    assert_eq!((other.status, other.error_locations()), (StatusCode::BAD_REQUEST, vec!["customer_id"]));
    let for_other = place(&service, &eve, "/orders", "k2", &order()).await;
    assert_eq!(for_other.error_locations(), ["/customer/id"]);
    assert_eq!(get(&service, &staff(), &path).await.status, StatusCode::OK);
    assert_eq!(cancel(&service, &ada, &path).await, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn idempotency_keys_are_scoped_to_the_caller() {
    let service = Service::new();
    let body = own_order();
    let first = place(&service, &customer("ada"), "/orders", "1", &body).await;
    let second = place(&service, &customer("eve"), "/orders", "1", &body).await;
    assert_eq!((first.status, second.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert_ne!(first.id(), second.id());
}

#[tokio::test]
async fn staff_must_specify_the_customer() {
    let service = Service::new();
    let response = place(&service, &staff(), "/orders", "k", &own_order()).await;
    assert_eq!(response.error_locations(), ["/customer/id"]);
    assert_eq!(get(&service, &staff(), "/orders").await.error_locations(), ["customer_id"]);
}

#[tokio::test]
async fn customers_of_partners_are_separate() {
    let service = Service::new();
    let (one, other) = (partner("client1"), partner("client2"));
    let placed = place(&service, &one, "/partner/orders", "k", &order()).await;
    assert_eq!((placed.status, &placed.body["customer"]["id"]), (StatusCode::CREATED, &json!("cust-1")));
    let id = placed.id();
    assert_eq!(placed.location, Some(format!("/v1/partner/orders/{id}")));
    let path = format!("/partner/orders/{id}");
    assert_eq!(get(&service, &one, &path).await.status, StatusCode::OK);
    assert_eq!(get(&service, &other, &path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(cancel(&service, &other, &path).await, StatusCode::NOT_FOUND);
    for (who, count) in [(&one, 1), (&other, 0)] {
        let list = get(&service, who, "/partner/orders?customer_id=cust-1").await.body;
        assert_eq!(list["orders"].as_array().unwrap().len(), count);
    }
    let seen = get(&service, &staff(), &format!("/orders/{id}")).await.body;
    assert_eq!(seen["customer"]["id"], "client1.cust-1");
    assert_eq!(
        get(&service, &customer("cust-1"), &format!("/orders/{id}")).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_product_at_two_prices_is_refused_wherever_it_is_ordered() {
    let service = Service::new();
    let mut twice = order();
    let mut line = twice["lines"][0].clone();
    line["unit_price"]["amount"] = json!(1);
    twice["lines"].as_array_mut().unwrap().push(line);
    let mut own = twice.clone();
    own["customer"].as_object_mut().unwrap().remove("id");
    for (caller, path, body) in [
        (staff(), "/orders", &twice),
        (customer("ada"), "/orders", &own),
        (partner("client1"), "/partner/orders", &twice),
    ] {
        let refused = place(&service, &caller, path, "k", body).await;
        assert_eq!((refused.status, refused.error_locations()), (StatusCode::BAD_REQUEST, vec!["/lines"]));
        assert!(refused.text.contains("names TEA-001 twice"), "{}", refused.text);
    }
    assert_eq!(service.pending_count(), 0);
}

#[tokio::test]
async fn each_route_requires_its_scope() {
    let service = Service::new();
    let reader = Caller::User {
        id: "ada".parse().unwrap(),
        is_staff: false,
        scopes: [Scope::OrdersRead].into_iter().collect(),
    };
    assert_eq!(get(&service, &reader, "/orders").await.status, StatusCode::OK);
    let refused = place(&service, &reader, "/orders", "k", &own_order()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.body["type"], "urn:serverless-orders:problem:insufficient-scope");
    for (caller, path, status) in [
        (Caller::Anonymous, "/orders", StatusCode::UNAUTHORIZED),
        (Caller::Anonymous, "/partner/orders", StatusCode::UNAUTHORIZED),
        (partner("p"), "/orders", StatusCode::FORBIDDEN),
        (customer("ada"), "/partner/orders", StatusCode::FORBIDDEN),
        (Caller::Service { arn: "arn".to_owned() }, "/orders", StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(get(&service, &caller, path).await.status, status, "{caller:?} {path}");
    }
}

#[tokio::test]
async fn the_health_check_cannot_access_any_other_order() {
    let service = Service::new();
    let ada = place(&service, &customer("ada"), "/orders", "k", &own_order()).await.id();
    let partners = place(&service, &partner("client1"), "/partner/orders", "k", &order()).await.id();
    let pending = service.pending_count();
    let absent: OrderId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
    let with_all = [Scope::HealthCheck, Scope::OrdersRead, Scope::OrdersWrite, Scope::PartnerOrders];
    for caller in [health_check([Scope::HealthCheck]), health_check(with_all)] {
        for operation in routes().operations() {
            let mut refusals = Vec::new();
            for id in [ada, partners, absent] {
                let path = operation.path.replace("{order_id}", &id.to_string());
                let path =
                    if operation.method == Method::GET { format!("{path}?customer_id=ada") } else { path };
                let body = if operation.path.ends_with("/orders") { order() } else { Value::Null };
                let request = Request::builder().method(operation.method.clone()).uri(path);
                let request =
                    request.header("content-type", "application/json").header("idempotency-key", "h");
                let request = request.body(Body::from(body.to_string())).unwrap();
                let response = service.call_as(caller.clone(), request).await;
                assert!(!response.text.contains("ada@example.com"), "{}: {}", operation.id, response.text);
                refusals.push((
                    response.status,
                    response.body["type"].clone(),
                    response.text.replace(&id.to_string(), ""),
                ));
            }
            let expected = match operation.id {
                "placeOrder" | "listOrders" => StatusCode::BAD_REQUEST,
                "readOrder" => StatusCode::NOT_FOUND,
                _ => StatusCode::FORBIDDEN,
            };
            assert_eq!(refusals[0].0, expected, "{}: {refusals:?}", operation.id);
            assert_eq!(
                refusals[0].1, refusals[2].1,
                "{}: the response does not reveal whether the order exists",
                operation.id
            );
            assert_eq!(
                refusals[1].1, refusals[2].1,
                "{}: the response does not reveal whether the order exists",
                operation.id
            );
        }
    }
    assert_eq!(service.pending_count(), pending, "nothing was placed or cancelled");
}

#[tokio::test]
async fn the_health_check_places_orders_as_the_synthetic_customer() {
    let service = Service::new();
    let caller = health_check([Scope::HealthCheck]);
    let placed = place(&service, &caller, "/orders", "k", &synthetic_order()).await;
    assert_eq!(
        (placed.status, &placed.body["customer"]["id"]),
        (StatusCode::CREATED, &json!(SYNTHETIC_CUSTOMER_ID))
    );
    let path = format!("/orders/{}", placed.id());
    assert_eq!(get(&service, &caller, &path).await.status, StatusCode::OK);
    let list =
        get(&service, &caller, &format!("/orders?customer_id={SYNTHETIC_CUSTOMER_ID}&limit=100")).await;
    assert_eq!(list.body["orders"].as_array().unwrap().len(), 1, "{}", list.text);
    assert_eq!(cancel(&service, &caller, &path).await, StatusCode::FORBIDDEN, "it never cancels");
    assert_eq!(get(&service, &customer("ada"), &path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(get(&service, &staff(), &path).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_health_check_scope_has_no_effect_for_a_user() {
    let service = Service::new();
    let user = |staff, scopes: &[Scope]| Caller::User {
        id: "ada".parse().unwrap(),
        is_staff: staff,
        scopes: scopes.iter().copied().collect(),
    };
    let synthetic =
        place(&service, &health_check([Scope::HealthCheck]), "/orders", "k", &synthetic_order()).await.id();
    let path = format!("/orders/{synthetic}");
    for staff in [false, true] {
        let alone = user(staff, &[Scope::HealthCheck]);
        assert_eq!(get(&service, &alone, &path).await.status, StatusCode::FORBIDDEN);
    }
    let both = user(false, &[Scope::HealthCheck, Scope::OrdersRead]);
    assert_eq!(get(&service, &both, &path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(get(&service, &both, "/orders").await.body["orders"], json!([]));
}
