//! `track-order` and `relay-outbox`.

use std::sync::Arc;

use domain::fact::ReservationConfirmed;
use domain::{Fact, VoidReason};
use orders::relay::RelayOutbox;
use orders::store::Outbox;
use platform::host::stream::OutboxHandler;
use platform::{EventHandler, Failure, Publisher};
use serde_json::json;

use crate::support::{Service, details, event, paid, rejected, voided};

#[tokio::test]
async fn events_update_the_status_of_their_order() {
    let service = Service::new();
    let id = service.create_order("key-1").await;
    let confirmed = event(id, Fact::ReservationConfirmed(ReservationConfirmed { order: details() }));
    service.track(&confirmed).await;
    assert_eq!(service.status(id).await, "reserved");
    service.orders.conflicts.fail_next(4);
    service.track(&paid(id)).await;
    service.track(&confirmed).await;
    assert_eq!(service.status(id).await, "paid");
}

#[tokio::test]
async fn a_contradicting_event_is_rejected() {
    let service = Service::new();
    let id = service.create_order("key-1").await;
    service.track(&rejected(id)).await;
    let failure = service.track_order().handle(&paid(id)).await.unwrap_err();
    assert!(matches!(failure, Failure::Reject(_)), "{failure}");
    assert_eq!(service.status(id).await, "rejected");
}

#[tokio::test]
async fn a_rejected_order_shows_the_reason() {
    let service = Service::new();
    let id = service.create_order("key-1").await;
    let path = format!("/orders/{id}");
    assert!(service.get(&path).await.body.get("shortages").is_none());
    for _ in 0..2 {
        service.track(&rejected(id)).await;
        let order = service.get(&path).await.body;
        assert_eq!(order["shortages"], json!([{ "sku": "TEA-001", "kind": "unknown_product" }]));
    }
}

#[tokio::test]
async fn events_of_unknown_orders_are_ignored() {
    let service = Service::new();
    let unknown = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
    service.track(&paid(unknown)).await;
}

#[tokio::test]
async fn persistent_write_conflicts_are_retried() {
    let service = Service::new();
    let id = service.create_order("key-1").await;
    service.orders.conflicts.fail_next(u32::MAX);
    let failure = service.track_order().handle(&voided(id, VoidReason::Expired)).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry(_)), "{failure}");
    service.orders.conflicts.fail_next(0);
    service.track(&voided(id, VoidReason::Expired)).await;
    assert_eq!(service.status(id).await, "expired");
}

#[tokio::test]
async fn an_event_is_removed_from_the_outbox_only_after_it_is_published() {
    let service = Service::new();
    service.create_order("key-1").await;
    let [event] = service.orders.pending_events().try_into().unwrap();
    let relay = RelayOutbox {
        publisher: Arc::clone(&service.bus) as Arc<dyn Publisher>,
        outbox: Arc::clone(&service.orders) as Arc<dyn Outbox>,
    };
    service.bus.failures.fail_next(1);
    assert!(matches!(relay.relay(&event).await, Err(Failure::Retry(_))));
    assert_eq!(service.orders.pending_events().len(), 1);

    // The event is published, but removing it fails: it is published again, with the same id.
    service.orders.failures.fail_next(1);
    assert!(matches!(relay.relay(&event).await, Err(Failure::Retry(_))));
    relay.relay(&event).await.unwrap();
    assert!(service.orders.pending_events().is_empty());
    assert_eq!(service.bus.published(), [event.clone(), event]);
}
