//! The stream host with rows of an outbox.

use std::sync::Arc;
use std::time::Duration;

use platform::clock::Clock;
use platform::host::stream::{Change, StreamHost};
use platform::memory::{ManualClock, Queue};
use platform::queue::DeadLetters;
use serde_json::json;

use crate::sample::{Fate, Handler, event, now, order_id};

const TIME: Duration = Duration::from_secs(600);

fn host(fates: &[(u128, Fate)]) -> (StreamHost<Handler>, Arc<Queue>) {
    let queue = Arc::new(Queue::default());
    let host = StreamHost {
        function: "relay-outbox",
        handler: Handler::new(fates),
        dead_letters: Arc::clone(&queue) as Arc<dyn DeadLetters>,
        clock: Arc::new(ManualClock::new(now())) as Arc<dyn Clock>,
    };
    (host, queue)
}

fn row(number: u128) -> Change {
    let image = json!({ "event": serde_json::to_string(&event(number)).unwrap() });
    Change { sequence_number: number.to_string(), keys: json!({}), new_image: Some(image) }
}

fn rows(count: u128) -> Vec<Change> {
    (1..=count).map(row).collect()
}

#[tokio::test]
async fn rows_are_handled_in_order() {
    let (host, _) = host(&[]);
    assert_eq!(host.handle_batch(rows(4), TIME, "lambda-1").await, None);
    assert_eq!(host.handler.handled(), [1, 2, 3, 4].map(order_id));
}

#[tokio::test]
async fn the_first_failure_is_reported_and_stops_the_batch() {
    for fate in [Fate::Retry, Fate::Panic, Fate::Leased { until: now() }] {
        let (host, queue) = host(&[(2, fate)]);
        assert_eq!(host.handle_batch(rows(4), TIME, "lambda-1").await.as_deref(), Some("2"), "{fate:?}");
        assert_eq!(host.handler.handled(), [1, 2].map(order_id), "{fate:?}");
        assert_eq!(queue.dead_letters(), vec![], "it is retried");
    }
}

#[tokio::test]
async fn a_handler_that_hangs_times_out_and_its_row_is_retried() {
    let (host, _) = host(&[(2, Fate::Hang)]);
    let failed = host.handle_batch(rows(3), Duration::from_millis(20), "lambda-1").await;
    assert_eq!(failed.as_deref(), Some("2"));
    assert_eq!(host.handler.handled(), [1, 2].map(order_id));
}

#[tokio::test]
async fn a_row_that_cannot_succeed_is_sent_to_the_dlq_and_skipped() {
    let (host, queue) = host(&[(3, Fate::Reject)]);
    let mut rows = rows(4);
    rows[1].new_image = Some(json!({ "event": r#"{"correlationid":"request-2"}"# }));
    assert_eq!(host.handle_batch(rows, TIME, "lambda-1").await, None);
    assert_eq!(host.handler.handled(), [1, 3, 4].map(order_id));
    let dead_letters = queue.dead_letters();
    let bodies: Vec<_> = dead_letters.iter().map(|dead_letter| dead_letter.body.as_str()).collect();
    assert_eq!(bodies, [r#"{"correlationid":"request-2"}"#, &serde_json::to_string(&event(3)).unwrap()]);
    let sent: Vec<_> =
        dead_letters.iter().map(|l| (l.kind, l.function, l.correlation_id.as_deref())).collect();
    assert_eq!(
        sent,
        [("poison", "relay-outbox", Some("request-2")), ("reject", "relay-outbox", Some("request-3"))]
    );
}

#[tokio::test]
async fn a_row_that_cannot_be_sent_to_the_dlq_blocks_those_behind_it() {
    let (host, queue) = host(&[(1, Fate::Reject)]);
    queue.dead_letter_failures.fail_next(1);
    assert_eq!(host.handle_batch(rows(2), TIME, "lambda-1").await.as_deref(), Some("1"));
    assert_eq!(host.handler.handled(), [order_id(1)]);
}
