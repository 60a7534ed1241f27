//! `POST /orders/{order_id}/cancel`.

use domain::{Fact, VoidReason};
use http::StatusCode;

use crate::support::{Service, paid, rejected, voided};

#[tokio::test]
async fn a_cancellation_is_requested_from_payments_once() {
    let service = Service::new();
    let id = service.create_order("key-1").await;
    for _ in 0..2 {
        let response = service.cancel(id).await;
        assert_eq!(response.status, StatusCode::ACCEPTED);
        assert_eq!(
            (&response.body["status"], &response.body["cancellation"]),
            (&"cancelling".into(), &"customer_request".into())
        );
    }
    let pending = service.orders.pending_events();
    let requests: Vec<_> =
        pending.iter().filter(|event| matches!(event.fact, Fact::CancellationRequested(_))).collect();
    assert_eq!((pending.len(), requests.len()), (2, 1));
    assert_eq!(requests[0].cause.correlation_id.as_str(), "request-2");

    service.track(&voided(id, VoidReason::CustomerRequest)).await;
    let after = service.cancel(id).await;
    assert_eq!((after.status, &after.body["status"]), (StatusCode::ACCEPTED, &"cancelled".into()));
}

#[tokio::test]
async fn an_order_in_another_final_status_cannot_be_cancelled() {
    let service = Service::new();
    for (key, end) in [("a", paid as fn(_) -> _), ("b", rejected)] {
        let id = service.create_order(key).await;
        service.track(&end(id)).await;
        let response = service.cancel(id).await;
        assert_eq!(response.status, StatusCode::CONFLICT);
        assert_eq!(response.body["type"], "urn:serverless-orders:problem:order-final");
    }
    assert_eq!(service.orders.pending_events().len(), 2, "no cancellation was requested");
}

#[tokio::test]
async fn write_conflicts_are_retried() {
    let service = Service::new();
    let id = service.create_order("key-1").await;
    service.orders.conflicts.fail_next(4);
    assert_eq!(service.cancel(id).await.status, StatusCode::ACCEPTED);
    let id = service.create_order("key-2").await;
    service.orders.conflicts.fail_next(u32::MAX);
    assert_eq!(service.cancel(id).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(service.status(id).await, "placed");
}

#[tokio::test]
async fn an_unknown_order_cannot_be_cancelled() {
    let id = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
    assert_eq!(Service::new().cancel(id).await.status, StatusCode::NOT_FOUND);
}
