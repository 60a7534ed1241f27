//! `track-order` and `relay-outbox`.

use std::sync::Arc;

use domain::Fact;
use domain::event::ReservationConfirmed;
use domain::payment::VoidReason;
use orders::relay::RelayOutbox;
use orders::store::Outbox;
use platform::{EventHandler, Failure, Publisher};

use crate::support::{Service, details, event, paid, rejected, voided};

#[tokio::test]
async fn an_order_follows_its_events() {
    let service = Service::new();
    let id = service.placed("key-1").await;
    let confirmed = event(id, Fact::ReservationConfirmed(ReservationConfirmed { order: details() }));
    service.follow(&confirmed).await;
    assert_eq!(service.status(id).await, "reserved");
    service.orders.conflicts.fail_next(4);
    service.follow(&paid(id)).await;
    service.follow(&confirmed).await;
    assert_eq!(service.status(id).await, "paid");
}

#[tokio::test]
async fn what_contradicts_is_put_before_a_person() {
    let service = Service::new();
    let id = service.placed("key-1").await;
    service.follow(&rejected(id)).await;
    let failure = service.track().handle(&paid(id)).await.unwrap_err();
    assert!(matches!(failure, Failure::Reject(_)), "{failure}");
    assert_eq!(service.status(id).await, "rejected");
}

#[tokio::test]
async fn orders_of_others_are_passed_over() {
    let service = Service::new();
    let unknown = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
    service.follow(&paid(unknown)).await;
}

#[tokio::test]
async fn a_write_that_always_meets_others_comes_again() {
    let service = Service::new();
    let id = service.placed("key-1").await;
    service.orders.conflicts.fail_next(5);
    let failure = service.track().handle(&voided(id, VoidReason::Expired)).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry(_)), "{failure}");
    service.follow(&voided(id, VoidReason::Expired)).await;
    assert_eq!(service.status(id).await, "expired");
}

#[tokio::test]
async fn a_row_leaves_the_outbox_only_once_it_is_on_the_bus() {
    let service = Service::new();
    service.placed("key-1").await;
    let [event] = service.orders.waiting().try_into().unwrap();
    let relay = RelayOutbox {
        publisher: Arc::clone(&service.bus) as Arc<dyn Publisher>,
        outbox: Arc::clone(&service.orders) as Arc<dyn Outbox>,
    };
    service.bus.failures.fail_next(1);
    assert!(matches!(relay.handle(&event).await, Err(Failure::Retry(_))));
    assert_eq!(service.orders.waiting().len(), 1);

    // Published, and the row could not be removed: it is published again, as the same event.
    service.orders.failures.fail_next(1);
    assert!(matches!(relay.handle(&event).await, Err(Failure::Retry(_))));
    assert_eq!(relay.handle(&event).await.unwrap(), vec![]);
    assert!(service.orders.waiting().is_empty());
    assert_eq!(service.bus.published(), [event.clone(), event]);
}
