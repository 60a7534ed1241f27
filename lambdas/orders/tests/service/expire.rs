//! `expire-orders`.

use std::sync::Arc;
use std::time::Duration;

use domain::order::CANCELLATION_RETRY_INTERVAL;
use domain::{Fact, VoidReason};
use jiff::SignedDuration;
use orders::expire::ExpireOrders;
use orders::relay::RelayOutbox;
use orders::store::{OPEN_SHARDS, Orders, Outbox};
use platform::host::schedule::Job;
use platform::{Clock, Publisher};
use serde_json::{Value, json};

use crate::support::{Service, paid, voided};

const EXPIRE_AFTER: SignedDuration = SignedDuration::from_mins(30);

async fn run(service: &Service, input: Value) -> anyhow::Result<Value> {
    run_for(service, input, Duration::from_secs(40)).await
}

async fn run_for(service: &Service, input: Value, time_limit: Duration) -> anyhow::Result<Value> {
    let job = ExpireOrders {
        orders: Arc::clone(&service.orders) as Arc<dyn Orders>,
        relay: RelayOutbox {
            publisher: Arc::clone(&service.bus) as Arc<dyn Publisher>,
            outbox: Arc::clone(&service.orders) as Arc<dyn Outbox>,
        },
        clock: Arc::clone(&service.clock) as Arc<dyn Clock>,
        expire_after: EXPIRE_AFTER,
        time_limit,
    };
    job.run(input).await
}

/// The orders whose cancellation was requested, and why.
fn cancellation_requests(service: &Service) -> Vec<(String, VoidReason)> {
    let request = |event: &domain::Event| match &event.fact {
        Fact::CancellationRequested(request) => Some((event.subject.to_string(), request.reason)),
        _ => None,
    };
    service.orders.pending_events().iter().chain(&service.bus.published()).filter_map(request).collect()
}

#[tokio::test]
async fn overdue_orders_are_expired_once() {
    let service = Service::new();
    let (overdue, done) = (service.create_order("a").await, service.create_order("b").await);
    let overdue_too = service.create_order("c").await;
    service.track(&paid(done)).await;
    service.clock.advance(EXPIRE_AFTER);
    service.clock.advance(SignedDuration::from_secs(1));
    let young = service.create_order("d").await;
    // Only orders from before a run are listed.
    service.clock.advance(SignedDuration::from_secs(1));

    let report = run(&service, json!({"source": "aws.scheduler"})).await.unwrap();
    assert_eq!(
        report,
        json!({"expired": 2, "published": 3, "complete": true}),
        "the stream missed the events of three orders"
    );
    let mut expected =
        vec![(overdue.to_string(), VoidReason::Expired), (overdue_too.to_string(), VoidReason::Expired)];
    expected.sort();
    let mut requested = cancellation_requests(&service);
    requested.sort();
    assert_eq!(requested, expected);
    assert_eq!(
        (service.status(overdue).await, service.status(young).await),
        ("cancelling".into(), "placed".into())
    );
    assert_eq!(
        run(&service, Value::Null).await.unwrap(),
        json!({"expired": 0, "published": 0, "complete": true})
    );
}

#[tokio::test]
async fn an_order_expires_when_it_reaches_the_age() {
    let service = Service::new();
    service.create_order("a").await;
    service.clock.advance(EXPIRE_AFTER - SignedDuration::from_secs(1));
    assert_eq!(run(&service, Value::Null).await.unwrap()["expired"], 0);
    service.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(run(&service, Value::Null).await.unwrap()["expired"], 1);
}

#[tokio::test]
async fn an_event_that_the_stream_missed_is_published() {
    let service = Service::new();
    service.create_order("a").await;
    service.clock.advance(SignedDuration::from_secs(119));
    assert_eq!(run(&service, Value::Null).await.unwrap()["published"], 0, "the stream may still publish it");
    service.clock.advance(SignedDuration::from_secs(2));
    service.bus.failures.fail_next(1);
    let error = run(&service, Value::Null).await.unwrap_err();
    assert!(error.to_string().starts_with("failures: 1"), "{error}");
    assert_eq!(service.orders.pending_events().len(), 1, "the event stays in the outbox");
    assert_eq!(run(&service, Value::Null).await.unwrap()["published"], 1);
    assert!(service.orders.pending_events().is_empty());
}

#[tokio::test]
async fn an_unanswered_cancellation_request_is_repeated_each_hour_with_the_same_id() {
    let service = Service::new();
    service.create_order("a").await;
    service.clock.advance(SignedDuration::from_hours(1));
    let expired = async || run(&service, Value::Null).await.unwrap()["expired"].clone();
    assert_eq!(expired().await, 1);
    service.clock.advance(SignedDuration::from_mins(59));
    assert_eq!(expired().await, 0, "payments may still be processing the request");
    service.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(expired().await, 1);
    run(&service, Value::Null).await.unwrap();
    service.clock.advance(SignedDuration::from_mins(3));
    run(&service, Value::Null).await.unwrap();
    let ids: std::collections::BTreeSet<_> = service
        .bus
        .published()
        .iter()
        .filter(|event| event.fact.name() == "order.cancellation_requested")
        .map(|event| event.id)
        .collect();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn an_expiry_repeats_the_request_of_the_customer_with_its_reason() {
    let service = Service::new();
    let id = service.create_order("a").await;
    service.cancel(id).await;
    for _ in 0..3 {
        service.clock.advance(EXPIRE_AFTER.max(CANCELLATION_RETRY_INTERVAL));
        service.clock.advance(SignedDuration::from_secs(1));
        assert_eq!(run(&service, Value::Null).await.unwrap()["expired"], 1);
        let requests = cancellation_requests(&service);
        assert!(!requests.is_empty());
        for request in requests {
            assert_eq!(request, (id.to_string(), VoidReason::CustomerRequest));
        }
        let order = service.get(&format!("/orders/{id}")).await.body;
        assert_eq!(
            (&order["status"], &order["cancellation"]),
            (&json!("cancelling"), &json!("customer_request"))
        );
    }
    service.track(&voided(id, VoidReason::CustomerRequest)).await;
    assert_eq!(service.status(id).await, "cancelled");
}

#[tokio::test]
async fn a_single_order_can_be_expired_manually() {
    let service = Service::new();
    let (one, other) = (service.create_order("a").await, service.create_order("b").await);
    let report = run(&service, json!({"older_than_seconds": 0, "order_id": one})).await.unwrap();
    assert_eq!(report["expired"], 1);
    assert_eq!(
        (service.status(one).await, service.status(other).await),
        ("cancelling".into(), "placed".into())
    );
    let young = run(&service, json!({"older_than_seconds": 1, "order_id": other})).await.unwrap();
    assert_eq!(young["expired"], 0);
    let error = run(&service, json!({"order_id": "o-1"})).await.unwrap_err();
    assert!(error.to_string().contains("not valid"), "{error}");
}

#[tokio::test]
async fn a_run_that_reaches_its_time_limit_reports_that_it_is_incomplete() {
    let service = Service::new();
    let overdue = service.create_order("a").await;
    service.clock.advance(SignedDuration::from_hours(1));
    let report = run_for(&service, Value::Null, Duration::ZERO).await.unwrap();
    assert_eq!(report, json!({"expired": 0, "published": 0, "complete": false}));
    assert_eq!(run(&service, Value::Null).await.unwrap()["expired"], 1);
    assert_eq!(service.status(overdue).await, "cancelling");
}

#[tokio::test]
async fn a_failure_in_one_shard_does_not_affect_the_others() {
    let service = Service::new();
    for key in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        service.create_order(key).await;
    }
    service.clock.advance(SignedDuration::from_hours(1));
    // Listing the outbox fails, and so does the first shard.
    service.orders.failures.fail_next(2);
    let error = run(&service, Value::Null).await.unwrap_err().to_string();
    assert!(error.starts_with("failures: 2"), "{error}");
    let cancelling = cancellation_requests(&service).len();
    assert!(cancelling > 0, "the other shards are processed");
    run(&service, Value::Null).await.unwrap();
    assert_eq!(
        cancellation_requests(&service)
            .iter()
            .map(|(order, _)| order)
            .collect::<std::collections::BTreeSet<_>>()
            .len(),
        8
    );
}

#[tokio::test]
async fn the_further_pages_of_a_shard_are_processed_too() {
    let service = Service::new();
    // More orders than shards, and the store returns one order per page.
    let orders = usize::from(OPEN_SHARDS) + 1;
    for key in 0..orders {
        service.create_order(&key.to_string()).await;
    }
    service.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(run(&service, Value::Null).await.unwrap()["expired"], orders);
}

#[tokio::test]
async fn a_failure_on_a_page_in_the_middle_loses_nothing_that_was_found_before() {
    let service = Service::new();
    let mut orders = Vec::new();
    for key in 0..32 {
        orders.push(service.create_order(&key.to_string()).await.to_string());
    }
    orders.sort();
    service.clock.advance(SignedDuration::from_hours(1));
    // The store returns one order per page: the second page of the first shard with several orders fails.
    let shard = |id: &String| id.bytes().last().unwrap() % OPEN_SHARDS;
    let of_shard = |number| orders.iter().filter(move |id| shard(id) == number).collect::<Vec<_>>();
    let failing = (0..OPEN_SHARDS).map(of_shard).find(|of_shard| of_shard.len() > 1).unwrap();
    assert!(failing.len() > 2, "{failing:?}");
    service.orders.next_page_failures.fail_next(1);

    let unseen = &failing[1..];
    let expected: Vec<_> = orders.iter().filter(|id| !unseen.contains(id)).cloned().collect();
    let error = run(&service, Value::Null).await.unwrap_err().to_string();
    assert!(error.starts_with("failures: 1;"), "{error}");
    for count in ["open", "expired"] {
        assert!(error.contains(&format!("{count}: {},", expected.len())), "{error}");
    }
    let expired = async || {
        let mut expired: Vec<_> =
            cancellation_requests(&service).into_iter().map(|(order, _)| order).collect();
        expired.sort();
        expired.dedup();
        expired
    };
    assert_eq!(expired().await, expected);
    assert_eq!(run(&service, Value::Null).await.unwrap()["expired"], unseen.len());
    assert_eq!(expired().await, orders);
}
