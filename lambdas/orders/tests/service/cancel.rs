//! `POST /orders/{order_id}/cancel`.

use domain::Fact;
use domain::payment::VoidReason;
use http::StatusCode;

use crate::support::{Service, paid, rejected, voided};

#[tokio::test]
async fn a_wish_to_cancel_is_taken_once_and_told_to_payments() {
    let service = Service::new();
    let id = service.placed("key-1").await;
    for _ in 0..2 {
        let answer = service.cancel(id).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        assert_eq!(
            (&answer.body["status"], &answer.body["cancellation"]),
            (&"cancelling".into(), &"customer_request".into())
        );
    }
    let waiting = service.orders.waiting();
    let wishes: Vec<_> =
        waiting.iter().filter(|event| matches!(event.fact, Fact::CancellationRequested(_))).collect();
    assert_eq!((waiting.len(), wishes.len()), (2, 1));
    assert_eq!(wishes[0].cause.correlation_id.as_str(), "request-2");

    service.follow(&voided(id, VoidReason::CustomerRequest)).await;
    let after = service.cancel(id).await;
    assert_eq!((after.status, &after.body["status"]), (StatusCode::ACCEPTED, &"cancelled".into()));
}

#[tokio::test]
async fn what_has_ended_otherwise_cannot_be_cancelled() {
    let service = Service::new();
    for (key, end) in [("a", paid as fn(_) -> _), ("b", rejected)] {
        let id = service.placed(key).await;
        service.follow(&end(id)).await;
        let answer = service.cancel(id).await;
        assert_eq!(answer.status, StatusCode::CONFLICT);
        assert_eq!(answer.body["type"], "urn:serverless-orders:problem:order-final");
    }
    assert_eq!(service.orders.waiting().len(), 2, "nothing was asked of payments");
}

#[tokio::test]
async fn a_write_that_meets_another_is_tried_again() {
    let service = Service::new();
    let id = service.placed("key-1").await;
    service.orders.conflicts.fail_next(4);
    assert_eq!(service.cancel(id).await.status, StatusCode::ACCEPTED);
    let id = service.placed("key-2").await;
    service.orders.conflicts.fail_next(5);
    assert_eq!(service.cancel(id).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(service.status(id).await, "placed");
}

#[tokio::test]
async fn an_order_that_is_not_there_cannot_be_cancelled() {
    let id = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
    assert_eq!(Service::new().cancel(id).await.status, StatusCode::NOT_FOUND);
}
