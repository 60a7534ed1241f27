//! `expire-orders`.

use std::sync::Arc;
use std::time::Duration;

use domain::Fact;
use domain::payment::VoidReason;
use jiff::SignedDuration;
use orders::expire::ExpireOrders;
use orders::relay::RelayOutbox;
use orders::store::{Orders, Outbox};
use platform::host::schedule::Job;
use platform::{Clock, Publisher};
use serde_json::{Value, json};

use crate::support::{Service, paid};

const EXPIRE_AFTER: SignedDuration = SignedDuration::from_mins(30);

async fn run(service: &Service, input: Value) -> anyhow::Result<Value> {
    run_for(service, input, Duration::from_secs(40)).await
}

async fn run_for(service: &Service, input: Value, time: Duration) -> anyhow::Result<Value> {
    let job = ExpireOrders {
        orders: Arc::clone(&service.orders) as Arc<dyn Orders>,
        relay: RelayOutbox {
            publisher: Arc::clone(&service.bus) as Arc<dyn Publisher>,
            outbox: Arc::clone(&service.orders) as Arc<dyn Outbox>,
        },
        clock: Arc::clone(&service.clock) as Arc<dyn Clock>,
        expire_after: EXPIRE_AFTER,
        time,
    };
    job.run(input).await
}

/// The orders that payments is asked to void, and why.
fn wishes(service: &Service) -> Vec<(String, VoidReason)> {
    let wish = |event: &domain::Event| match &event.fact {
        Fact::CancellationRequested(wish) => Some((event.subject.to_string(), wish.reason)),
        _ => None,
    };
    service.orders.waiting().iter().chain(&service.bus.published()).filter_map(wish).collect()
}

#[tokio::test]
async fn orders_that_have_waited_too_long_are_given_up_once() {
    let service = Service::new();
    let (late, done) = (service.placed("a").await, service.placed("b").await);
    let late_too = service.placed("c").await;
    service.follow(&paid(done)).await;
    service.clock.advance(EXPIRE_AFTER);
    service.clock.advance(SignedDuration::from_secs(1));
    service.placed("d").await;

    let report = run(&service, json!({"source": "aws.scheduler"})).await.unwrap();
    assert_eq!(
        report,
        json!({"expired": 2, "published": 3, "complete": true}),
        "the events of three orders had been missed"
    );
    let mut expected =
        vec![(late.to_string(), VoidReason::Expired), (late_too.to_string(), VoidReason::Expired)];
    expected.sort();
    let mut asked = wishes(&service);
    asked.sort();
    assert_eq!(asked, expected);
    assert_eq!(service.status(late).await, "cancelling");
    assert_eq!(
        run(&service, Value::Null).await.unwrap(),
        json!({"expired": 0, "published": 0, "complete": true})
    );
}

#[tokio::test]
async fn a_row_that_the_stream_missed_is_published() {
    let service = Service::new();
    service.placed("a").await;
    service.clock.advance(SignedDuration::from_secs(119));
    assert_eq!(run(&service, Value::Null).await.unwrap()["published"], 0, "the stream may still be at it");
    service.clock.advance(SignedDuration::from_secs(2));
    service.bus.failures.fail_next(1);
    let error = run(&service, Value::Null).await.unwrap_err();
    assert!(error.to_string().starts_with("1 of it failed"), "noticed: {error}");
    assert_eq!(service.orders.waiting().len(), 1, "it stays");
    assert_eq!(run(&service, Value::Null).await.unwrap()["published"], 1);
    assert!(service.orders.waiting().is_empty());
}

#[tokio::test]
async fn a_wish_that_had_no_answer_is_asked_again_each_hour_with_the_same_id() {
    let service = Service::new();
    service.placed("a").await;
    service.clock.advance(SignedDuration::from_hours(1));
    let expired = async || run(&service, Value::Null).await.unwrap()["expired"].clone();
    assert_eq!(expired().await, 1);
    service.clock.advance(SignedDuration::from_mins(59));
    assert_eq!(expired().await, 0, "payments may still be at it");
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
async fn a_person_may_give_up_one_order_at_once() {
    let service = Service::new();
    let (one, other) = (service.placed("a").await, service.placed("b").await);
    let report = run(&service, json!({"older_than_seconds": 0, "order_id": one})).await.unwrap();
    assert_eq!(report["expired"], 1);
    assert_eq!(
        (service.status(one).await, service.status(other).await),
        ("cancelling".into(), "placed".into())
    );
    let young = run(&service, json!({"older_than_seconds": 1, "order_id": other})).await.unwrap();
    assert_eq!(young["expired"], 0);
    let error = run(&service, json!({"order_id": "o-1"})).await.unwrap_err();
    assert!(error.to_string().contains("not understood"), "{error}");
}

#[tokio::test]
async fn a_run_whose_time_is_up_leaves_the_rest_to_the_next_and_says_so() {
    let service = Service::new();
    let late = service.placed("a").await;
    service.clock.advance(SignedDuration::from_hours(1));
    let report = run_for(&service, Value::Null, Duration::ZERO).await.unwrap();
    assert_eq!(report, json!({"expired": 0, "published": 0, "complete": false}));
    assert_eq!(run(&service, Value::Null).await.unwrap()["expired"], 1);
    assert_eq!(service.status(late).await, "cancelling");
}

#[tokio::test]
async fn what_fails_in_one_shard_keeps_no_other_order_waiting() {
    let service = Service::new();
    for key in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        service.placed(key).await;
    }
    service.clock.advance(SignedDuration::from_hours(1));
    // The outbox, and the first shard that is asked for.
    service.orders.failures.fail_next(2);
    let error = run(&service, Value::Null).await.unwrap_err().to_string();
    assert!(error.starts_with("2 of it failed"), "{error}");
    let cancelling = wishes(&service).len();
    assert!(cancelling > 0, "the other shards are looked through");
    run(&service, Value::Null).await.unwrap();
    assert_eq!(
        wishes(&service).iter().map(|(order, _)| order).collect::<std::collections::BTreeSet<_>>().len(),
        8
    );
}
