//! Batches of a queue.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use domain::Event;
use jiff::SignedDuration;
use platform::clock::Clock;
use platform::host::queue::{Message, QueueHost, Visibility};
use platform::host::record::{DeadLetter, DeadLetters, Labels};
use platform::memory::{Bus, ManualClock, Queue, lock};
use platform::publisher::{NoPublisher, Publisher};
use platform::retry::RetryPolicy;
use platform::{Failure, MessageHandler};
use serde_json::{Value, json};

use crate::sample::{Fate, Handler, body, caused, event, now, order_id};

/// Long enough for handlers that do not wait for anything.
const TIME: Duration = Duration::from_secs(600);
const LAST: u32 = 5;

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
        retry: RetryPolicy { base_delay: Duration::from_secs(2), max_attempts: LAST },
        clock: Arc::new(ManualClock::new(now())) as Arc<dyn Clock>,
    };
    World { bus, queue, host }
}

fn message(id: &str, body: String, attempt: u32) -> Message {
    Message { id: id.to_owned(), receipt_handle: format!("receipt-{id}"), body, attempt }
}

/// The events about the orders 1, 2, 3, …, by their number.
fn messages(count: u128, attempt: u32) -> Vec<Message> {
    (1..=count).map(|number| message(&number.to_string(), body(&event(number)), attempt)).collect()
}

fn put_off(number: u128, seconds: u64) -> (String, Duration) {
    (format!("receipt-{number}"), Duration::from_secs(seconds))
}

impl World {
    /// The messages that come again.
    async fn run(&self, batch: Vec<Message>) -> Vec<String> {
        self.host.handle_batch(batch, TIME, "lambda-1").await
    }

    fn published(&self) -> Vec<Event> {
        self.bus.published()
    }
}

#[tokio::test]
async fn what_is_handled_is_published_and_does_not_come_again() {
    let world = world(&[]);
    assert_eq!(world.run(messages(2, 1)).await, Vec::<String>::new());
    assert_eq!(world.published(), [caused(&event(1)), caused(&event(2))]);
    assert_eq!((world.queue.visibility_extensions(), world.queue.dead_letters()), (vec![], vec![]));
}

#[tokio::test]
async fn what_could_not_be_published_comes_again_and_is_put_off() {
    let world = world(&[]);
    world.bus.failures.fail_next(1);
    assert_eq!(world.run(messages(2, 1)).await, ["1"], "not done before it is on the bus");
    assert_eq!(world.published(), [caused(&event(2))]);
    assert_eq!(world.queue.visibility_extensions(), [put_off(1, 1)]);

    // Both are handled when they come again, and the event has the id that it had.
    assert_eq!(world.run(messages(1, 2)).await, Vec::<String>::new());
    assert_eq!(world.published(), [caused(&event(2)), caused(&event(1))]);
}

#[tokio::test]
async fn a_handler_that_publishes_where_nothing_can_be_published_is_told() {
    let World { host, queue, .. } = world(&[]);
    let host = QueueHost { publisher: Arc::new(NoPublisher) as Arc<dyn Publisher>, ..host };
    assert_eq!(host.handle_batch(messages(1, 1), TIME, "lambda-1").await, ["1"]);
    assert_eq!(queue.visibility_extensions().len(), 1);
}

#[tokio::test]
async fn each_further_attempt_waits_longer() {
    let world = world(&[(1, Fate::Retry)]);
    for attempt in 1..LAST {
        assert_eq!(world.run(messages(1, attempt)).await, ["1"]);
    }
    // With chance at 0, half of 2, 4, 8 and 16 seconds.
    assert_eq!(world.queue.visibility_extensions(), [put_off(1, 1), put_off(1, 2), put_off(1, 4), put_off(1, 8)]);
    assert_eq!(world.queue.dead_letters(), vec![]);
}

#[tokio::test]
async fn the_last_attempt_makes_a_dead_letter_with_all_that_a_person_needs() {
    let world = world(&[(1, Fate::Retry)]);
    assert_eq!(world.run(messages(1, LAST)).await, Vec::<String>::new());
    let letter = DeadLetter {
        body: body(&event(1)),
        error: "calling: no answer".to_owned(),
        kind: "exhausted",
        function: "settle-reservation",
        attempt: LAST,
        correlation_id: Some("request-1".to_owned()),
        failed_at: now(),
    };
    assert_eq!(world.queue.dead_letters(), [letter]);
    assert_eq!(world.queue.visibility_extensions(), vec![]);
}

#[tokio::test]
async fn what_never_will_work_is_a_dead_letter_at_once() {
    let world = world(&[(1, Fate::Reject), (2, Fate::Poison)]);
    assert_eq!(world.run(messages(3, 1)).await, Vec::<String>::new());
    let letters = world.queue.dead_letters();
    let told: Vec<_> = letters.iter().map(|letter| (letter.kind, letter.error.as_str())).collect();
    assert_eq!(told, [("reject", "never will be"), ("poison", "not for this function")]);
    assert_eq!(world.published(), [caused(&event(3))]);
}

#[tokio::test]
async fn what_cannot_be_put_away_comes_again() {
    let world = world(&[(1, Fate::Reject)]);
    world.queue.dead_letter_failures.fail_next(1);
    assert_eq!(world.run(messages(1, 1)).await, ["1"]);
    assert_eq!(world.queue.visibility_extensions(), [put_off(1, 1)]);
    assert_eq!(world.run(messages(1, 2)).await, Vec::<String>::new());
    assert_eq!(world.queue.dead_letters().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_put_off_comes_again_all_the_same() {
    let world = world(&[(1, Fate::Retry)]);
    world.queue.visibility_failures.fail_next(1);
    assert_eq!(world.run(messages(2, 1)).await, ["1"]);
    assert_eq!(world.queue.visibility_extensions(), vec![]);
}

#[tokio::test]
async fn a_panic_in_one_leaves_the_others_alone() {
    let world = world(&[(2, Fate::Panic)]);
    assert_eq!(world.run(messages(3, 1)).await, ["2"]);
    assert_eq!(world.published(), [caused(&event(1)), caused(&event(3))]);
    assert_eq!(world.queue.visibility_extensions(), [put_off(2, 1)]);
    assert_eq!(world.run(messages(3, LAST)).await, Vec::<String>::new());
    assert_eq!(world.queue.dead_letters()[0].error, "the handler panicked: a bug");
}

#[tokio::test]
async fn a_handler_that_hangs_is_stopped_in_time_and_the_others_are_done() {
    let world = world(&[(2, Fate::Hang)]);
    let again = world.host.handle_batch(messages(3, 1), Duration::from_millis(20), "lambda-1").await;
    assert_eq!(again, ["2"]);
    assert_eq!(world.published(), [caused(&event(1)), caused(&event(3))]);
    assert_eq!(world.queue.visibility_extensions(), [put_off(2, 1)]);
    assert_eq!(world.host.handler.handled(), [order_id(1), order_id(2), order_id(3)]);
}

#[tokio::test]
async fn what_somebody_else_is_at_waits_until_their_lease_ends() {
    let until = now().saturating_add(SignedDuration::from_secs(45)).unwrap();
    let over = now().saturating_sub(SignedDuration::from_secs(45)).unwrap();
    let world = world(&[(1, Fate::Leased { until }), (2, Fate::Leased { until: over })]);
    assert_eq!(world.run(messages(2, 1)).await, ["1", "2"]);
    assert_eq!(world.queue.visibility_extensions(), [put_off(1, 45), put_off(2, 1)]);
}

#[tokio::test]
async fn what_is_not_understood_is_a_dead_letter_with_the_reason_and_no_value_of_it() {
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
    let letters = world.queue.dead_letters();
    assert_eq!(letters.len(), 4);
    for (letter, body) in letters.iter().zip(&bodies) {
        assert_eq!((letter.kind, &letter.body), ("poison", body), "as it came");
        assert!(!letter.error.contains("ada"), "{}", letter.error);
    }
    assert!(letters[0].error.starts_with("the message is no JSON"), "{}", letters[0].error);
    let known: Vec<_> = letters.iter().map(|letter| letter.correlation_id.as_deref()).collect();
    assert_eq!(known, [None, None, None, Some("request-1")]);
}

/// Takes messages that are no events: the number of a job, in words of its own.
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
async fn a_message_that_is_no_event_reaches_its_handler_whole_with_the_time_that_is_left() {
    let World { bus, queue, host } = world(&[]);
    let QueueHost { function, publisher, visibility, dead_letters, retry, clock, .. } = host;
    let handler = Jobs(Mutex::default());
    let host = QueueHost { function, handler, publisher, visibility, dead_letters, retry, clock };
    let (job, other) = (json!({ "job": "tidy up", "detail": 7 }), json!({ "detail": {} }));
    let batch = vec![message("1", job.to_string(), 1), message("2", other.to_string(), 1)];
    assert_eq!(host.handle_batch(batch, TIME, "lambda-1").await, Vec::<String>::new());
    assert_eq!(*lock(&host.handler.0), [(job, TIME), (other, TIME)]);
    assert_eq!(bus.published(), [event(1)]);
    let letters: Vec<_> = queue.dead_letters().into_iter().map(|letter| (letter.kind, letter.error)).collect();
    assert_eq!(letters, [("poison", "no job is named".to_owned())]);
}
