use domain::event::ReservationSettled;
use domain::{Cause, Fact, OrderId};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::aws::stub_connector::StubConnector;
use crate::publisher::{BusPublisher, Publisher};

fn events(count: u128) -> Vec<Event> {
    let cause = Cause { correlation_id: "r-1".parse().unwrap(), causation_id: None, traceparent: None };
    let event = |number| {
        let fact = Fact::ReservationReleased(ReservationSettled {});
        Event::new(OrderId::from(Uuid::from_u128(number)), fact, Timestamp::UNIX_EPOCH, cause.clone())
    };
    (1..=count).map(event).collect()
}

/// An answer in which these entries are taken and the others refused.
fn answer(taken: &[bool]) -> (u16, Value) {
    let entries: Vec<Value> = taken
        .iter()
        .map(|taken| match taken {
            true => json!({"EventId": "e"}),
            false => json!({"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}),
        })
        .collect();
    let refused = taken.iter().filter(|taken| !**taken).count();
    (200, json!({"FailedEntryCount": refused, "Entries": entries}))
}

async fn publish(wire: &StubConnector, events: &[Event]) -> anyhow::Result<()> {
    BusPublisher(EventBridge::new(Client::new(&wire.config()), "orders-bus".to_owned())).publish(events).await
}

/// The orders that each request was about.
fn subjects(wire: &StubConnector) -> Vec<Vec<String>> {
    let subject = |entry: &Value| {
        let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
        detail["subject"].as_str().unwrap().to_owned()
    };
    let of = |request: &Value| request["Entries"].as_array().unwrap().iter().map(subject).collect();
    wire.requests().iter().map(of).collect()
}

fn orders(numbers: impl IntoIterator<Item = u128>) -> Vec<String> {
    numbers.into_iter().map(|number| Uuid::from_u128(number).to_string()).collect()
}

#[tokio::test]
async fn an_entry_is_the_event_under_its_source_and_type() {
    let wire = StubConnector::new([answer(&[true])]);
    let events = events(1);
    publish(&wire, &events).await.unwrap();
    let entry = &wire.requests()[0]["Entries"][0];
    assert_eq!(entry["Source"], "inventory");
    assert_eq!(entry["DetailType"], "reservation.released");
    assert_eq!(entry["EventBusName"], "orders-bus");
    let detail: Event = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
    assert_eq!(detail, events[0]);
}

#[tokio::test]
async fn only_what_was_refused_is_sent_again() {
    let wire = StubConnector::new([answer(&[true, false, true, false]), answer(&[false, true]), answer(&[true])]);
    publish(&wire, &events(4)).await.unwrap();
    assert_eq!(subjects(&wire), [orders(1..=4), orders([2, 4]), orders([2])]);
}

#[tokio::test]
async fn a_bus_that_never_takes_one_is_an_error_with_its_reason() {
    let wire = StubConnector::new([answer(&[true, false]), answer(&[false]), answer(&[false])]);
    let error = publish(&wire, &events(2)).await.unwrap_err().to_string();
    assert!(error.contains("1 event") && error.contains("ThrottlingException"), "{error}");
}

#[tokio::test]
async fn an_answer_that_says_nothing_of_some_entries_is_an_error() {
    for taken in [&[][..], &[true], &[true, true, true]] {
        let error = publish(&StubConnector::new([answer(taken)]), &events(2)).await.unwrap_err().to_string();
        assert!(error.contains("for 2"), "{error}");
    }
    assert!(publish(&StubConnector::new([(200, json!({}))]), &events(1)).await.is_err());
}

#[tokio::test]
async fn a_call_that_fails_is_an_error() {
    let refused = (400, json!({"__type": "AccessDeniedException", "message": "not authorized"}));
    let error = publish(&StubConnector::new([refused]), &events(1)).await.unwrap_err();
    assert!(format!("{error:#}").contains("not authorized"), "{error:#}");
}

#[tokio::test]
async fn more_than_ten_go_in_several_requests() {
    let wire = StubConnector::new([answer(&[true; 10]), answer(&[true; 10]), answer(&[true; 3])]);
    publish(&wire, &events(23)).await.unwrap();
    assert_eq!(subjects(&wire), [orders(1..=10), orders(11..=20), orders(21..=23)]);
}

#[tokio::test]
async fn nothing_to_publish_is_no_request() {
    let wire = StubConnector::default();
    publish(&wire, &[]).await.unwrap();
    assert!(wire.requests().is_empty());
}
