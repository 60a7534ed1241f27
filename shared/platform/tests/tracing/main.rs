//! The spans of hosts, handlers and publishers. In a program of its own, because tracing is switched on for a process.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing helper fails the test")]

#[path = "../platform/sample.rs"]
#[expect(dead_code, reason = "the tests of hosts use the rest")]
mod sample;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::routing::post;
use domain::{Event, Fact};
use http::Request;
use jiff::SignedDuration;
use opentelemetry::trace::{SpanId, SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;
use platform::clock::Clock;
use platform::host::http::build_app;
use platform::host::queue::{Message, QueueHost};
use platform::host::stream::{Change, StreamHost};
use platform::http::RequestCause;
use platform::memory::{ManualClock, Queue};
use platform::publisher::{BusPublisher, PutEvents};
use platform::queue::{DeadLetters, Visibility};
use platform::retry::RetryPolicy;
use platform::trace::memory::{record, spans_linked_to, spans_of};
use platform::{lock, trace};
use serde_json::json;
use tower::ServiceExt;

use crate::sample::{Fate, Handler, body, event, now};

const TIME: Duration = Duration::from_secs(600);

/// The `traceparent` of span `number` of a trace that no other test has.
fn traceparent(trace: u32, number: u32) -> String {
    format!("00-{trace:032x}-{number:016x}-01")
}

/// An event about order `number` that was published in the span of `traceparent`.
fn event_of(number: u128, traceparent: &str) -> Event {
    let mut event = event(number);
    event.cause.traceparent = Some(traceparent.to_owned());
    event
}

/// A bus that keeps the events that it was sent.
#[derive(Debug, Clone, Default)]
struct Bus(Arc<Mutex<Vec<Event>>>);

#[async_trait]
impl PutEvents<Fact> for Bus {
    async fn put(&self, events: &[&Event]) -> anyhow::Result<Vec<Option<String>>> {
        lock(&self.0).extend(events.iter().map(|event| (*event).clone()));
        Ok(events.iter().map(|_| None).collect())
    }
}

struct World {
    bus: Bus,
    host: QueueHost<Handler>,
}

fn world(fates: &[(u128, Fate)]) -> World {
    record();
    let (bus, queue) = (Bus::default(), Arc::new(Queue::default()));
    let host = QueueHost {
        function: "settle-reservation",
        handler: Handler::new(fates),
        publisher: Arc::new(BusPublisher(bus.clone())),
        visibility: Arc::clone(&queue) as Arc<dyn Visibility>,
        dead_letters: Arc::clone(&queue) as Arc<dyn DeadLetters>,
        retry: RetryPolicy { base_delay: Duration::from_secs(2), max_attempts: 5 },
        clock: Arc::new(ManualClock::new(now())) as Arc<dyn Clock>,
    };
    World { bus, host }
}

fn message(event: &Event, attempt: u32) -> Message {
    let id = event.subject.to_string();
    Message { receipt_handle: id.clone(), id, body: body(event), attempt, is_redrive: false }
}

/// The text of an attribute.
fn attribute(span: &SpanData, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == name);
    found.map(|attribute| attribute.value.to_string())
}

/// The only span of a kind.
fn only(spans: &[SpanData], kind: SpanKind) -> &SpanData {
    let mut found = spans.iter().filter(|span| span.span_kind == kind);
    let span = found.next().unwrap_or_else(|| panic!("no span is {kind:?}: {spans:#?}"));
    assert!(found.next().is_none(), "{spans:#?}");
    span
}

#[tokio::test]
async fn each_record_of_a_batch_has_the_span_as_its_parent_that_published_its_event() {
    let World { bus, host } = world(&[]);
    let parents: Vec<String> = (1..=10).map(|number| traceparent(100 + number, number)).collect();
    let events: Vec<Event> =
        parents.iter().zip(1..).map(|(parent, number)| event_of(number, parent)).collect();
    let batch = events.iter().map(|event| message(event, 1)).collect();
    assert_eq!(host.handle_batch(batch, TIME, "lambda-1").await, Vec::<String>::new());
    for (number, parent) in (1_u64..).zip(&parents) {
        let spans = spans_of(parent);
        let (process, publish) = (only(&spans, SpanKind::Consumer), only(&spans, SpanKind::Producer));
        assert_eq!(process.parent_span_id, SpanId::from(number));
        assert!(process.parent_span_is_remote);
        assert_eq!(publish.parent_span_id, process.span_context.span_id());
        assert_eq!(publish.name, "publish reservation.released");
        assert_eq!(attribute(process, "event.type").as_deref(), Some("reservation.committed"));
        assert_eq!(attribute(process, "messaging.destination.name").as_deref(), Some("settle-reservation"));
        assert_eq!(process.status, Status::Unset);
        // What the event causes is a child of the span that published it.
        let published = lock(&bus.0).clone();
        let published =
            published.iter().find(|event| event.subject == sample::order_id(number.into())).unwrap();
        let expected =
            format!("00-{}-{}-01", publish.span_context.trace_id(), publish.span_context.span_id());
        assert_eq!(published.cause.traceparent, Some(expected));
    }
}

#[tokio::test]
async fn a_redelivery_is_a_new_span_of_the_same_trace() {
    let World { host, .. } = world(&[(1, Fate::Retry)]);
    let parent = traceparent(200, 1);
    for attempt in 1..=2 {
        let batch = vec![message(&event_of(1, &parent), attempt)];
        assert_eq!(host.handle_batch(batch, TIME, "lambda-1").await.len(), 1);
    }
    let spans = spans_of(&parent);
    let attempts: Vec<_> =
        spans.iter().map(|span| attribute(span, "messaging.delivery.attempt").unwrap()).collect();
    assert_eq!(attempts, ["1", "2"]);
    for span in &spans {
        assert_eq!(span.parent_span_id, SpanId::from(1));
        assert_eq!(attribute(span, "error.type").as_deref(), Some("retry"));
        assert_eq!(span.status, Status::error(""));
    }
    assert_ne!(spans[0].span_context.span_id(), spans[1].span_context.span_id());
}

#[tokio::test]
async fn a_panic_a_timeout_and_a_dead_letter_end_their_spans_as_failures() {
    let World { host, .. } = world(&[(1, Fate::Panic), (2, Fate::Hang), (3, Fate::Poison)]);
    let parents: Vec<String> = (1..=3).map(|number| traceparent(300 + number, 1)).collect();
    let batch =
        parents.iter().zip(1..).map(|(parent, number)| message(&event_of(number, parent), 1)).collect();
    assert_eq!(host.handle_batch(batch, Duration::from_millis(20), "lambda-1").await.len(), 2);
    for (parent, kind) in parents.iter().zip(["retry", "retry", "poison"]) {
        let spans = spans_of(parent);
        let span = only(&spans, SpanKind::Consumer);
        assert_eq!(attribute(span, "error.type").as_deref(), Some(kind));
        assert_eq!(attribute(span, "messaging.dead_letter"), Some((kind == "poison").to_string()));
    }
}

#[tokio::test]
async fn a_redrive_and_a_late_replay_start_a_trace_with_a_link() {
    let World { host, .. } = world(&[]);
    let (redriven, late, in_time) =
        (traceparent(401, 0x401), traceparent(402, 0x402), traceparent(403, 0x403));
    let old = |traceparent: &str, minutes| {
        let mut event = event_of(1, traceparent);
        event.time = now() - SignedDuration::from_mins(minutes);
        event
    };
    let batch = vec![
        Message { is_redrive: true, ..message(&old(&redriven, 1), 1) },
        message(&old(&late, 16), 1),
        message(&old(&in_time, 14), 1),
    ];
    assert_eq!(host.handle_batch(batch, TIME, "lambda-1").await, Vec::<String>::new());
    for parent in [redriven, late] {
        assert!(spans_of(&parent).is_empty());
        let linked = spans_linked_to(&parent);
        let span = only(&linked, SpanKind::Consumer);
        assert_eq!(span.parent_span_id, SpanId::INVALID);
    }
    assert_eq!(spans_of(&in_time).len(), 2);
}

#[tokio::test]
async fn a_message_without_a_valid_traceparent_starts_a_trace() {
    let World { host, .. } = world(&[]);
    for invalid in ["", "00-1-2-3", "ada@example.com"] {
        let batch = vec![message(&event_of(1, invalid), 1)];
        assert_eq!(host.handle_batch(batch, TIME, "lambda-1").await, Vec::<String>::new(), "{invalid}");
    }
}

/// What is published in another trace than its cause, as by a sweep, is linked to it.
#[tokio::test]
async fn a_sweep_links_what_it_publishes_to_the_trace_of_the_order() {
    record();
    let bus = Bus::default();
    let publisher = BusPublisher(bus.clone());
    let (sweep, order) = (traceparent(500, 1), traceparent(501, 0x501));
    let span = trace::span(trace::SpanKind::Server, "expire-orders").child_of(Some(&sweep)).start();
    span.around(platform::Publisher::publish(&publisher, &[event_of(1, &order)])).await.unwrap();
    let linked = spans_linked_to(&order);
    let publish = only(&linked, SpanKind::Producer);
    assert_eq!(publish.span_context.trace_id().to_string(), sweep[3..35]);
    assert_eq!(lock(&bus.0)[0].cause.traceparent.as_deref().map(|text| &text[3..35]), Some(&sweep[3..35]));
}

#[tokio::test]
async fn a_row_of_the_outbox_continues_the_trace_of_its_request() {
    record();
    let host = StreamHost {
        function: "relay-outbox",
        handler: Handler::new(&[(2, Fate::Panic)]),
        dead_letters: Arc::new(Queue::default()) as Arc<dyn DeadLetters>,
        clock: Arc::new(ManualClock::new(now())) as Arc<dyn Clock>,
    };
    let parents = [traceparent(601, 1), traceparent(602, 2)];
    let rows = parents.iter().zip(1..).map(|(parent, number)| {
        let image = json!({ "event": serde_json::to_string(&event_of(number, parent)).unwrap() });
        Change { sequence_number: number.to_string(), keys: json!({}), new_image: Some(image) }
    });
    assert_eq!(host.handle_batch(rows.collect(), TIME, "lambda-1").await.as_deref(), Some("2"));
    let (first, second) = (spans_of(&parents[0]), spans_of(&parents[1]));
    assert_eq!(only(&first, SpanKind::Consumer).parent_span_id, SpanId::from(1));
    assert_eq!(attribute(only(&second, SpanKind::Consumer), "error.type").as_deref(), Some("retry"));
}

async fn cause(RequestCause(cause): RequestCause) -> Result<String, http::StatusCode> {
    cause.traceparent.ok_or(http::StatusCode::INTERNAL_SERVER_ERROR)
}

async fn bug() -> http::StatusCode {
    panic!("ada@example.com")
}

#[tokio::test]
async fn a_request_is_a_child_of_its_callers_span_or_starts_a_trace() {
    record();
    let app = build_app(
        Router::new().route("/orders/{id}", post(cause)).route("/bug", post(bug)),
        Arc::new(ManualClock::new(now())),
    );
    let send = async |path: &str, traceparent: Option<&str>| {
        let mut request = Request::post(path);
        if let Some(traceparent) = traceparent {
            request = request.header("traceparent", traceparent);
        }
        let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    };
    let parent = traceparent(701, 0x701);
    let continued = send("/orders/ada@example.com", Some(&parent)).await;
    let spans = spans_of(&parent);
    let span = only(&spans, SpanKind::Server);
    assert_eq!(continued, format!("00-{}-{}-01", span.span_context.trace_id(), span.span_context.span_id()));
    assert_eq!((&*span.name, span.parent_span_id), ("POST /orders/{id}", SpanId::from(0x701)));
    assert_eq!(attribute(span, "http.response.status_code").as_deref(), Some("200"));
    assert!(!format!("{span:?}").contains("ada@"), "the path is not recorded");

    for invalid in [None, Some("00-0-0-0"), Some(&*parent.to_uppercase().replace("00-", "ff-"))] {
        let started = send("/orders/1", invalid).await;
        assert!(trace::is_traceparent(&started) && started[3..35] != parent[3..35], "{invalid:?}");
        assert_eq!(only(&spans_of(&started), SpanKind::Server).parent_span_id, SpanId::INVALID);
    }

    let parent = traceparent(702, 1);
    send("/bug", Some(&parent)).await;
    let spans = spans_of(&parent);
    let span = only(&spans, SpanKind::Server);
    assert_eq!(span.status, Status::error(""));
    assert!(!format!("{span:?}").contains("ada@"));
}

#[test]
fn an_attribute_is_no_text_from_outside() {
    for name in ["settle-reservation", "DynamoDB_20120810.PutItem", "2cbd3f5e-0000-4000-8000-000000000000"] {
        assert!(trace::Attribute::name(name).is_some(), "{name}");
    }
    for text in ["", "ada@example.com", "Ada Lovelace", "Grüner Weg", &"x".repeat(129), "a\nb"] {
        assert!(trace::Attribute::name(text).is_none(), "{text}");
    }
}
