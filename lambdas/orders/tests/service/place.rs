//! `POST /orders` and `GET /orders/{order_id}`.

use domain::Fact;
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::json;

use crate::support::{Service, order};

#[tokio::test]
async fn a_new_order_returns_201_and_its_location_and_adds_its_event_to_the_outbox() {
    let service = Service::new();
    let response = service.place("key-1", &order()).await;
    assert_eq!(response.status, StatusCode::CREATED);
    let id = response.id();
    assert_eq!(response.location, Some(format!("/v1/orders/{id}")));
    let mut expected = order();
    expected["id"] = json!(id);
    expected["status"] = json!("placed");
    expected["total"] = json!({"amount": 2500, "currency": "EUR"});
    expected["placed_at"] = json!("2026-11-23T10:15:30Z");
    assert_eq!(response.body, expected);
    assert_eq!(service.get(&format!("/orders/{id}")).await.body, expected);

    let [event] = service.orders.pending_events().try_into().unwrap();
    assert_eq!((event.subject, event.cause.correlation_id.as_str()), (id, "request-1"));
    let Fact::OrderCreated(created) = event.fact else { panic!("{event:?}") };
    assert_eq!(serde_json::to_value(created.order.total).unwrap(), expected["total"]);
}

#[tokio::test]
async fn the_same_key_and_body_return_the_original_order_and_response() {
    let service = Service::new();
    let first = service.place("key-1", &order()).await;
    service.clock.advance(SignedDuration::from_hours(7 * 24));
    let again = service.place("key-1", &order()).await;
    assert_eq!((again.status, &again.location, &again.text), (first.status, &first.location, &first.text));
    assert_eq!(service.orders.pending_events().len(), 1, "one order, one event");
    service.clock.advance(SignedDuration::from_secs(1));
    assert_ne!(service.place("key-1", &order()).await.id(), first.id(), "the key is stored for a week");
}

#[tokio::test]
async fn the_same_key_with_a_different_body_is_rejected() {
    let service = Service::new();
    service.place("key-1", &order()).await;
    for (pointer, value) in [
        ("/lines/0/quantity", json!(3)),
        ("/payment_method", json!("pm_card_mastercard")),
        ("/customer/email", json!("eve@example.com")),
        ("/customer/name", json!("Eve")),
    ] {
        let mut other = order();
        *other.pointer_mut(pointer).unwrap() = value;
        let response = service.place("key-1", &other).await;
        assert_eq!(response.status, StatusCode::UNPROCESSABLE_ENTITY, "{pointer}");
        assert_eq!(response.body["type"], "urn:serverless-orders:problem:idempotency-key-reused");
    }
    assert_eq!(service.orders.pending_events().len(), 1);
}

#[tokio::test]
async fn a_key_is_for_one_request_and_expires_after_a_week() {
    let service = Service::new();
    let mine = service.create_order("key-1").await;
    let mut other = order();
    other["customer"]["id"] = json!("cust-2");
    assert_eq!(service.place("key-1", &other).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    service.clock.advance(SignedDuration::from_hours(7 * 24));
    assert_eq!(service.create_order("key-1").await, mine, "the last second of the week");
    service.clock.advance(SignedDuration::from_secs(1));
    assert_ne!(service.create_order("key-1").await, mine);
}

#[tokio::test]
async fn all_errors_in_key_and_body_are_reported_together() {
    let service = Service::new();
    let mut bad = order();
    bad["customer"]["email"] = json!("ada");
    bad["lines"][0]["quantity"] = json!(0);
    bad["coupon"] = json!(1);
    let response = service.post("/orders", &[], &bad).await;
    assert_eq!(response.status, StatusCode::BAD_REQUEST);
    let mut locations = response.error_locations();
    locations.sort_unstable();
    assert_eq!(locations, ["/coupon", "/customer/email", "/lines/0/quantity", "Idempotency-Key"]);

    let mut twice = order();
    let line = twice["lines"][0].clone();
    twice["lines"].as_array_mut().unwrap().push(line);
    assert_eq!(service.post("/orders", &[], &twice).await.error_locations(), ["Idempotency-Key", "/lines"]);
    assert_eq!(service.post("/orders", &[], &order()).await.error_locations(), ["Idempotency-Key"]);
    assert!(service.orders.pending_events().is_empty());
}

/// An order of one piece at a price.
fn order_at(amount: u32, currency: &str) -> serde_json::Value {
    let mut order = order();
    order["lines"][0]["quantity"] = json!(1);
    order["lines"][0]["unit_price"] = json!({"amount": amount, "currency": currency});
    order
}

#[tokio::test]
async fn a_total_that_the_payment_provider_refuses_is_refused_with_the_least_amount() {
    for (amount, currency, detail) in [
        (49, "EUR", "the total must be 0 or at least 0.50 EUR, is 0.49 EUR"),
        (49, "JPY", "the total must be 0 or at least 50 JPY, is 49 JPY"),
        (17_499, "HUF", "the total must be 0 or at least 175.00 HUF, is 174.99 HUF"),
        (1255, "KWD", "the total must be a multiple of 0.010 KWD, is 1.255 KWD"),
    ] {
        let service = Service::new();
        let response = service.place("key-1", &order_at(amount, currency)).await;
        assert_eq!((response.status, response.error_locations()), (StatusCode::BAD_REQUEST, vec!["/lines"]));
        assert_eq!(response.body["errors"][0]["detail"], detail);
        assert_eq!(service.pending_count(), 0);
    }
    let response = Service::new().place("key-1", &order_at(500, "ISK")).await;
    assert_eq!((response.status, response.error_locations()), (StatusCode::BAD_REQUEST, vec!["/lines"]));
    // The whole order counts, not a line.
    let mut cheap = order_at(5, "EUR");
    cheap["lines"][0]["quantity"] = json!(10);
    assert_eq!(Service::new().place("key-1", &cheap).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn an_order_of_nothing_is_accepted_in_any_currency() {
    for currency in ["EUR", "KWD", "ISK"] {
        let response = Service::new().place("key-1", &order_at(0, currency)).await;
        assert_eq!(response.status, StatusCode::CREATED, "{}", response.text);
        assert_eq!(response.body["total"]["amount"], 0);
    }
}

#[tokio::test]
async fn keys_that_are_empty_too_long_or_contain_spaces_are_rejected() {
    let service = Service::new();
    for bad in ["", "two words", &"x".repeat(256)] {
        assert_eq!(service.place(bad, &order()).await.error_locations(), ["Idempotency-Key"], "{bad:?}");
    }
    assert_eq!(service.place(&"x".repeat(255), &order()).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_failed_write_returns_503_and_can_be_retried() {
    let service = Service::new();
    service.orders.failures.fail_next(1);
    let response = service.place("key-1", &order()).await;
    assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(service.place("key-1", &order()).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn unknown_and_invalid_order_ids_return_404_and_400() {
    let service = Service::new();
    let unknown = service.get("/orders/01890a5d-ac96-774b-bcce-b302099a8057").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let no_id = service.get("/orders/17").await;
    assert_eq!((no_id.status, no_id.error_locations()), (StatusCode::BAD_REQUEST, vec!["order_id"]));
}
