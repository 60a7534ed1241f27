//! The queue host.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use domain::Event;
use jiff::SignedDuration;
use platform::clock::Clock;
use platform::host::queue::{Message, QueueHost};
use platform::memory::{Bus, ManualClock, Queue};
use platform::publisher::{NoPublisher, Publisher};
use platform::queue::{DeadLetter, DeadLetters, Visibility};
use platform::retry::RetryPolicy;
use platform::{Failure, Labels, MessageHandler, lock};
use serde_json::{Value, json};

use crate::sample::{Fate, Handler, body, caused, event, now, order_id};

/// Long enough for handlers that do not wait.
const TIME: Duration = Duration::from_secs(600);
const MAX_ATTEMPTS: u32 = 5;

struct World {
    bus: Arc<Bus>,
    queue: Arc<Queue>,
    host: QueueHost<Handler>,
}

fn world(fates: &[(u128, Fate)]) -> World {
    let (bus, queue) = (Arc::new(Bus::default()), Arc::new(Queue::default()));
    let host = QueueHost {
        function: "settle-reservation",
        handler: Handler::new(fates),
        publisher: Arc::clone(&bus) as Arc<dyn Publisher>,
        visibility: Arc::clone(&queue) as Arc<dyn Visibility>,
        dead_letters: Arc::clone(&queue) as Arc<dyn DeadLetters>,
        retry: RetryPolicy { base_delay: Duration::from_secs(2), max_attempts: MAX_ATTEMPTS },
        clock: Arc::new(ManualClock::new(now())) as Arc<dyn Clock>,
    };
    World { bus, queue, host }
}

fn message(id: &str, body: String, attempt: u32) -> Message {
    Message { id: id.to_owned(), receipt_handle: format!("receipt-{id}"), body, attempt, is_redrive: false }
}

/// Messages with the events of the orders 1 to `count`.
fn messages(count: u128, attempt: u32) -> Vec<Message> {
    (1..=count).map(|number| message(&number.to_string(), body(&event(number)), attempt)).collect()
}

fn extension(number: u128, seconds: u64) -> (String, Duration) {
    (format!("receipt-{number}"), Duration::from_secs(seconds))
}

impl World {
    /// Handles a batch and returns the messages to be redelivered.
    async fn run(&self, batch: Vec<Message>) -> Vec<String> {
        self.host.handle_batch(batch, TIME, "lambda-1").await
    }

    fn published(&self) -> Vec<Event> {
        self.bus.published()
    }
}

#[tokio::test]
async fn resulting_events_are_published_and_handled_messages_are_not_redelivered() {
    let world = world(&[]);
    assert_eq!(world.run(messages(2, 1)).await, Vec::<String>::new());
    assert_eq!(world.published(), [caused(&event(1)), caused(&event(2))]);
    assert_eq!((world.queue.visibility_extensions(), world.queue.dead_letters()), (vec![], vec![]));
}

#[tokio::test]
async fn a_message_is_redelivered_after_a_delay_if_publishing_fails() {
    let world = world(&[]);
    world.bus.failures.fail_next(1);
    assert_eq!(world.run(messages(2, 1)).await, ["1"], "not handled before its events are published");
    assert_eq!(world.published(), [caused(&event(2))]);
    assert_eq!(world.queue.visibility_extensions(), [extension(1, 1)]);

    // The redelivered message is handled, and its event keeps its id.
    assert_eq!(world.run(messages(1, 2)).await, Vec::<String>::new());
    assert_eq!(world.published(), [caused(&event(2)), caused(&event(1))]);
}

#[tokio::test]
async fn an_event_without_a_publisher_is_a_failure() {
    let World { host, queue, .. } = world(&[]);
    let host = QueueHost { publisher: Arc::new(NoPublisher) as Arc<dyn Publisher>, ..host };
    assert_eq!(host.handle_batch(messages(1, 1), TIME, "lambda-1").await, ["1"]);
    assert_eq!(queue.visibility_extensions().len(), 1);
}

#[tokio::test]
async fn delays_grow_with_each_attempt() {
    let world = world(&[(1, Fate::Retry)]);
    for attempt in 1..MAX_ATTEMPTS {
        assert_eq!(world.run(messages(1, attempt)).await, ["1"]);
    }
    // With a random number of 0, the delays are half of 2, 4, 8 and 16 seconds.
    assert_eq!(
        world.queue.visibility_extensions(),
        [extension(1, 1), extension(1, 2), extension(1, 4), extension(1, 8)]
    );
    assert_eq!(world.queue.dead_letters(), vec![]);
}

#[tokio::test]
async fn the_last_attempt_sends_the_message_to_the_dlq_with_all_details() {
    let world = world(&[(1, Fate::Retry)]);
    assert_eq!(world.run(messages(1, MAX_ATTEMPTS)).await, Vec::<String>::new());
    let dead_letter = DeadLetter {
        body: body(&event(1)),
        error: "calling: no response".to_owned(),
        kind: "exhausted",
        function: "settle-reservation",
        attempt: MAX_ATTEMPTS,
        correlation_id: Some("request-1".to_owned()),
        failed_at: now(),
    };
    assert_eq!(world.queue.dead_letters(), [dead_letter]);
    assert_eq!(world.queue.visibility_extensions(), vec![]);
}

#[tokio::test]
async fn a_message_that_cannot_succeed_is_sent_to_the_dlq_at_once() {
    let world = world(&[(1, Fate::Reject), (2, Fate::Poison)]);
    assert_eq!(world.run(messages(3, 1)).await, Vec::<String>::new());
    let dead_letters = world.queue.dead_letters();
    let sent: Vec<_> =
        dead_letters.iter().map(|dead_letter| (dead_letter.kind, dead_letter.error.as_str())).collect();
    assert_eq!(sent, [("reject", "cannot succeed"), ("poison", "not for this function")]);
    assert_eq!(world.published(), [caused(&event(3))]);
}

#[tokio::test]
async fn a_message_that_cannot_be_sent_to_the_dlq_is_redelivered() {
    let world = world(&[(1, Fate::Reject)]);
    world.queue.dead_letter_failures.fail_next(1);
    assert_eq!(world.run(messages(1, 1)).await, ["1"]);
    assert_eq!(world.queue.visibility_extensions(), [extension(1, 1)]);
    assert_eq!(world.run(messages(1, 2)).await, Vec::<String>::new());
    assert_eq!(world.queue.dead_letters().len(), 1);
}

#[tokio::test]
async fn a_message_is_redelivered_even_if_its_visibility_timeout_cannot_be_extended() {
    let world = world(&[(1, Fate::Retry)]);
    world.queue.visibility_failures.fail_next(1);
    assert_eq!(world.run(messages(2, 1)).await, ["1"]);
    assert_eq!(world.queue.visibility_extensions(), vec![]);
}

#[tokio::test]
async fn a_panic_does_not_affect_other_messages() {
    let world = world(&[(2, Fate::Panic)]);
    assert_eq!(world.run(messages(3, 1)).await, ["2"]);
    assert_eq!(world.published(), [caused(&event(1)), caused(&event(3))]);
    assert_eq!(world.queue.visibility_extensions(), [extension(2, 1)]);
    assert_eq!(world.run(messages(3, MAX_ATTEMPTS)).await, Vec::<String>::new());
    assert_eq!(world.queue.dead_letters()[0].error, "the handler panicked: a bug");
}

#[tokio::test]
async fn a_handler_that_hangs_times_out_and_the_others_complete() {
    let world = world(&[(2, Fate::Hang)]);
    let again = world.host.handle_batch(messages(3, 1), Duration::from_millis(20), "lambda-1").await;
    assert_eq!(again, ["2"]);
    assert_eq!(world.published(), [caused(&event(1)), caused(&event(3))]);
    assert_eq!(world.queue.visibility_extensions(), [extension(2, 1)]);
    assert_eq!(world.host.handler.handled(), [order_id(1), order_id(2), order_id(3)]);
}

#[tokio::test]
async fn a_leased_message_is_delayed_until_the_lease_expires() {
    let until = now().saturating_add(SignedDuration::from_secs(45)).unwrap();
    let expired = now().saturating_sub(SignedDuration::from_secs(45)).unwrap();
    let world = world(&[(1, Fate::Leased { until }), (2, Fate::Leased { until: expired })]);
    assert_eq!(world.run(messages(2, 1)).await, ["1", "2"]);
    assert_eq!(world.queue.visibility_extensions(), [extension(1, 45), extension(2, 1)]);
}

#[tokio::test]
async fn the_reason_for_an_unparsable_message_contains_none_of_its_values() {
    let world = world(&[]);
    let mut wrong = serde_json::to_value(event(1)).unwrap();
    wrong["time"] = "ada@example.com".into();
    let bodies = [
        "no JSON: ada@example.com".to_owned(),
        r#"{"detail-type":"order.created"}"#.to_owned(),
        r#"["detail"]"#.to_owned(),
        serde_json::json!({ "detail": wrong }).to_string(),
        body(&event(5)),
    ];
    let batch = bodies.iter().zip(1..).map(|(body, id): (_, u32)| message(&id.to_string(), body.clone(), 1));
    assert_eq!(world.run(batch.collect()).await, Vec::<String>::new());
    assert_eq!(world.published(), [caused(&event(5))]);
    let dead_letters = world.queue.dead_letters();
    assert_eq!(dead_letters.len(), 4);
    for (dead_letter, body) in dead_letters.iter().zip(&bodies) {
        assert_eq!((dead_letter.kind, &dead_letter.body), ("poison", body), "unchanged");
        assert!(!dead_letter.error.contains("ada"), "{}", dead_letter.error);
    }
    assert!(dead_letters[0].error.starts_with("the message is not JSON"), "{}", dead_letters[0].error);
    let correlation_ids: Vec<_> =
        dead_letters.iter().map(|dead_letter| dead_letter.correlation_id.as_deref()).collect();
    assert_eq!(correlation_ids, [None, None, None, Some("request-1")]);
}

/// Handles messages that are not events: each names a job.
struct Jobs(Mutex<Vec<(Value, Duration)>>);

#[async_trait]
impl MessageHandler for Jobs {
    fn labels(&self, message: &Value) -> Labels {
        Labels { event_type: message["job"].as_str().map(str::to_owned), ..Labels::default() }
    }

    async fn handle_message(&self, message: Value, time: Duration) -> Result<Vec<Event>, Failure> {
        let known = message["job"].is_string();
        lock(&self.0).push((message, time));
        if known { Ok(vec![event(1)]) } else { Err(Failure::poison("no job is named")) }
    }
}

#[tokio::test]
async fn a_message_that_is_not_an_event_reaches_its_handler_unchanged() {
    let World { bus, queue, host } = world(&[]);
    let QueueHost { function, publisher, visibility, dead_letters, retry, clock, .. } = host;
    let handler = Jobs(Mutex::default());
    let host = QueueHost { function, handler, publisher, visibility, dead_letters, retry, clock };
    let (job, other) = (json!({ "job": "tidy up", "detail": 7 }), json!({ "detail": {} }));
    let batch = vec![message("1", job.to_string(), 1), message("2", other.to_string(), 1)];
    assert_eq!(host.handle_batch(batch, TIME, "lambda-1").await, Vec::<String>::new());
    assert_eq!(*lock(&host.handler.0), [(job, TIME), (other, TIME)]);
    assert_eq!(bus.published(), [event(1)]);
    let dead_letters: Vec<_> =
        queue.dead_letters().into_iter().map(|dead_letter| (dead_letter.kind, dead_letter.error)).collect();
    assert_eq!(dead_letters, [("poison", "no job is named".to_owned())]);
}
