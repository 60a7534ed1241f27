//! Reservations, including concurrent ones of the same stock.

use futures::FutureExt;
use http::StatusCode;
use platform::Clock;
use serde_json::json;

use crate::support::{Service, lines, order_id};

#[tokio::test]
async fn repeated_requests_reserve_stock_once() {
    let service = Service::with_stock(&[("A", 5), ("B", 5)]).await;
    let held = service.reserve(1, &[("A", 2), ("B", 5)]).await;
    let now = service.clock.now();
    let price = json!({"amount": 1250, "currency": "EUR"});
    let expected = json!({
        "order_id": order_id(1), "state": "held", "created_at": now, "changed_at": now,
        "lines": [
            {"sku": "A", "quantity": 2, "unit_price": price},
            {"sku": "B", "quantity": 5, "unit_price": price},
        ],
    });
    assert_eq!((held.status, &held.body), (StatusCode::OK, &expected));
    assert_eq!(service.reserve(1, &[("A", 2), ("B", 5)]).await.body, expected);
    assert_eq!(service.get(&format!("/reservations/{}", order_id(1))).await.body, expected);
    assert_eq!((service.stock("A").await, service.stock("B").await), ([3, 2, 0], [0, 5, 0]));
}

#[tokio::test]
async fn different_lines_for_the_same_order_are_rejected() {
    let service = Service::with_stock(&[("A", 9)]).await;
    service.reserve(1, &[("A", 1)]).await;
    let refused = service.reserve(1, &[("A", 5)]).await;
    assert_eq!(
        refused.status,
        StatusCode::CONFLICT,
        "the confirmed lines are charged, so they have to be the reserved ones"
    );
    assert_eq!(service.stock("A").await, [8, 1, 0]);
}

#[tokio::test]
async fn a_reservation_is_committed_or_released_but_not_both() {
    let service = Service::with_stock(&[("A", 5)]).await;
    service.reserve(1, &[("A", 2)]).await;
    service.reserve(2, &[("A", 3)]).await;
    for _ in 0..2 {
        assert_eq!(service.settle(1, "commit").await.body["state"], "committed");
        assert_eq!(service.settle(2, "release").await.body["state"], "released");
    }
    assert_eq!(service.stock("A").await, [3, 0, 2]);
    for (order, action) in [(1, "release"), (2, "commit"), (3, "commit")] {
        let refused = service.settle(order, action).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{order} {action}");
        assert_eq!(refused.body["type"], "urn:serverless-orders:problem:reservation-final");
    }
    assert_eq!(service.stock("A").await, [3, 0, 2]);
}

#[tokio::test]
async fn a_rejected_reservation_stays_rejected_after_a_delivery() {
    let service = Service::with_stock(&[("A", 1)]).await;
    let rejected = service.reserve(1, &[("A", 2), ("Z", 1)]).await;
    assert_eq!(rejected.body["state"], "rejected");
    assert_eq!(
        rejected.body["shortages"],
        json!([{"sku": "A", "kind": "out_of_stock", "available": 1}, {"sku": "Z", "kind": "unknown_product"}])
    );
    service.put("/products/A/deliveries/second", json!({"quantity": 99})).await;
    assert_eq!(service.reserve(1, &[("A", 2), ("Z", 1)]).await.body, rejected.body);
    assert_eq!(service.stock("A").await, [100, 0, 0]);
}

#[tokio::test]
async fn an_order_released_before_it_arrives_reserves_nothing() {
    let service = Service::with_stock(&[("A", 5)]).await;
    assert_eq!(service.settle(1, "release").await.body["state"], "released");
    assert_eq!(service.reserve(1, &[("A", 2)]).await.body["state"], "released");
    assert_eq!(service.stock("A").await, [5, 0, 0]);
}

#[tokio::test]
async fn the_last_pieces_go_to_the_first_writer() {
    let service = Service::with_stock(&[("A", 2)]).await;
    service.race(|service| {
        async move { assert_eq!(service.reserve(2, &[("A", 2)]).await.body["state"], "held") }.boxed()
    });
    let slower = service.reserve(1, &[("A", 1)]).await;
    assert_eq!(slower.body["shortages"], json!([{"sku": "A", "kind": "out_of_stock", "available": 0}]));
    assert_eq!(service.stock("A").await, [0, 2, 0]);
}

#[tokio::test]
async fn a_concurrent_price_change_is_detected() {
    let service = Service::with_stock(&[("A", 2)]).await;
    service.race(|service| {
        async move {
            service
                .put("/products/A", json!({"name": "Tea", "price": {"amount": 1, "currency": "EUR"}}))
                .await;
        }
        .boxed()
    });
    let response = service.reserve(1, &[("A", 1)]).await;
    let price = json!({"amount": 1, "currency": "EUR"});
    assert_eq!(response.body["shortages"], json!([{"sku": "A", "kind": "price_changed", "price": price}]));
}

#[tokio::test]
async fn concurrent_reservations_do_not_reject_an_available_order() {
    let service = Service::with_stock(&[("A", 9)]).await;
    for other in 2..5 {
        service.race(move |service| {
            async move {
                service.reserve(other, &[("A", 1)]).await;
            }
            .boxed()
        });
    }
    assert_eq!(service.reserve(1, &[("A", 5)]).await.body["state"], "held");
}

#[tokio::test]
async fn concurrent_requests_for_the_same_order_make_one_reservation() {
    let service = Service::with_stock(&[("A", 9)]).await;
    service.race(|service| {
        async move {
            service.reserve(1, &[("A", 5)]).await;
        }
        .boxed()
    });
    assert_eq!(service.reserve(1, &[("A", 5)]).await.body["state"], "held");
    assert_eq!(service.stock("A").await, [4, 5, 0]);
}

#[tokio::test]
async fn a_failed_read_returns_503_and_can_be_retried() {
    let service = Service::with_stock(&[("A", 1)]).await;
    service.tables.inner.failures.fail_next(1);
    assert_eq!(service.reserve(1, &[("A", 1)]).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(service.reserve(1, &[("A", 1)]).await.body["state"], "held");
}

#[tokio::test]
async fn invalid_requests_are_rejected_with_locations() {
    let service = Service::new();
    let path = format!("/reservations/{}", order_id(1));
    let mut two_prices = lines(&[("A", 1), ("A", 1)]);
    two_prices[1]["unit_price"]["amount"] = json!(1251);
    for (body, pointer) in [
        (json!({}), "/lines"),
        (json!({"lines": []}), "/lines"),
        (json!({"lines": lines(&[("A", 1), ("A", 1)])}), "/lines"),
        (json!({ "lines": two_prices }), "/lines"),
        (json!({"lines": lines(&[("A", 1000)])}), "/lines/0/quantity"),
    ] {
        let response = service.put(&path, body.clone()).await;
        assert_eq!(response.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(response.body["errors"][0]["pointer"], pointer, "{body}");
    }
    assert_eq!(service.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(service.get("/reservations/1").await.body["errors"][0]["parameter"], "order_id");
}
