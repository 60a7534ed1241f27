//! `POST /orders` and `GET /orders/{order_id}`.

use domain::Fact;
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::json;

use crate::support::{Service, order};

#[tokio::test]
async fn a_new_order_is_answered_with_201_and_where_it_is_and_its_event_waits_to_be_published() {
    let service = Service::new();
    let answer = service.place("key-1", &order()).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let id = answer.id();
    assert_eq!(answer.location, Some(format!("/v1/orders/{id}")));
    let mut expected = order();
    expected["id"] = json!(id);
    expected["status"] = json!("placed");
    expected["total"] = json!({"amount": 2500, "currency": "EUR"});
    expected["placed_at"] = json!("2026-11-23T10:15:30Z");
    assert_eq!(answer.body, expected);
    assert_eq!(service.get(&format!("/orders/{id}")).await.body, expected);

    let [event] = service.orders.waiting().try_into().unwrap();
    assert_eq!((event.subject, event.cause.correlation_id.as_str()), (id, "request-1"));
    let Fact::OrderCreated(created) = event.fact else { panic!("{event:?}") };
    assert_eq!(serde_json::to_value(created.order.total).unwrap(), expected["total"]);
}

#[tokio::test]
async fn the_same_key_and_body_get_the_same_order_and_answer() {
    let service = Service::new();
    let first = service.place("key-1", &order()).await;
    service.clock.advance(SignedDuration::from_hours(24));
    let again = service.place("key-1", &order()).await;
    assert_eq!((again.status, &again.location, &again.text), (first.status, &first.location, &first.text));
    assert_eq!(service.orders.waiting().len(), 1, "one order, one event");
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused() {
    let service = Service::new();
    service.place("key-1", &order()).await;
    for (pointer, value) in [
        ("/lines/0/quantity", json!(3)),
        ("/payment_method", json!("pm_card_mastercard")),
        ("/customer/email", json!("eve@example.com")),
    ] {
        let mut other = order();
        *other.pointer_mut(pointer).unwrap() = value;
        let answer = service.place("key-1", &other).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{pointer}");
        assert_eq!(answer.body["type"], "urn:serverless-orders:problem:idempotency-key-reused");
    }
    assert_eq!(service.orders.waiting().len(), 1);
}

#[tokio::test]
async fn a_key_is_for_one_request_and_forgotten_after_a_week() {
    let service = Service::new();
    let mine = service.placed("key-1").await;
    let mut other = order();
    other["customer"]["id"] = json!("cust-2");
    assert_eq!(service.place("key-1", &other).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    service.clock.advance(SignedDuration::from_hours(7 * 24 + 1));
    assert_ne!(service.placed("key-1").await, mine);
}

#[tokio::test]
async fn all_that_is_wrong_with_key_and_body_is_told_at_once() {
    let service = Service::new();
    let mut bad = order();
    bad["customer"]["email"] = json!("ada");
    bad["lines"][0]["quantity"] = json!(0);
    bad["coupon"] = json!(1);
    let answer = service.post("/orders", &[], &bad).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let mut places = answer.places();
    places.sort_unstable();
    assert_eq!(places, ["/coupon", "/customer/email", "/lines/0/quantity", "Idempotency-Key"]);

    let mut twice = order();
    let line = twice["lines"][0].clone();
    twice["lines"].as_array_mut().unwrap().push(line);
    assert_eq!(service.post("/orders", &[], &twice).await.places(), ["Idempotency-Key", "/lines"]);
    assert_eq!(service.post("/orders", &[], &order()).await.places(), ["Idempotency-Key"]);
    assert!(service.orders.waiting().is_empty());
}

#[tokio::test]
async fn keys_are_bounded() {
    let service = Service::new();
    for bad in ["", "two words", &"x".repeat(256)] {
        assert_eq!(service.place(bad, &order()).await.places(), ["Idempotency-Key"], "{bad:?}");
    }
    assert_eq!(service.place(&"x".repeat(255), &order()).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn when_the_order_cannot_be_written_the_client_may_send_it_again() {
    let service = Service::new();
    service.orders.failures.fail_next(1);
    let answer = service.place("key-1", &order()).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(service.place("key-1", &order()).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn orders_that_are_not_there() {
    let service = Service::new();
    let unknown = service.get("/orders/01890a5d-ac96-774b-bcce-b302099a8057").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let no_id = service.get("/orders/17").await;
    assert_eq!((no_id.status, no_id.places()), (StatusCode::BAD_REQUEST, vec!["order_id"]));
}
