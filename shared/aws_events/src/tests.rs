use domain::fact::ReservationSettled;
use domain::{Cause, Fact, OrderId};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use aws::stub_connector::StubConnector;
use platform::publisher::{BusPublisher, Publisher};

fn events(count: u128) -> Vec<Event> {
    let cause = Cause { correlation_id: "r-1".parse().unwrap(), causation_id: None, traceparent: None };
    let event = |number| {
        let fact = Fact::ReservationReleased(ReservationSettled {});
        Event::new(OrderId::from(Uuid::from_u128(number)), fact, Timestamp::UNIX_EPOCH, cause.clone())
    };
    (1..=count).map(event).collect()
}

/// A response in which the entries are accepted or rejected as given.
fn response(accepted: &[bool]) -> (u16, Value) {
    let entries: Vec<Value> = accepted
        .iter()
        .map(|accepted| match accepted {
            true => json!({"EventId": "e"}),
            false => json!({"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}),
        })
        .collect();
    let rejected = accepted.iter().filter(|accepted| !**accepted).count();
    (200, json!({"FailedEntryCount": rejected, "Entries": entries}))
}

async fn publish(stub: &StubConnector, events: &[Event]) -> anyhow::Result<()> {
    BusPublisher(EventBridge::new(Client::new(&stub.config()), "orders-bus".to_owned())).publish(events).await
}

/// The orders of the events in each request.
fn subjects(stub: &StubConnector) -> Vec<Vec<String>> {
    let subject = |entry: &Value| {
        let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
        detail["subject"].as_str().unwrap().to_owned()
    };
    let of_request = |request: &Value| request["Entries"].as_array().unwrap().iter().map(subject).collect();
    stub.requests().iter().map(of_request).collect()
}

fn orders(numbers: impl IntoIterator<Item = u128>) -> Vec<String> {
    numbers.into_iter().map(|number| Uuid::from_u128(number).to_string()).collect()
}

#[tokio::test]
async fn an_entry_is_the_event_under_its_source_and_type() {
    let stub = StubConnector::new([response(&[true])]);
    let events = events(1);
    publish(&stub, &events).await.unwrap();
    let entry = &stub.requests()[0]["Entries"][0];
    assert_eq!(entry["Source"], "inventory");
    assert_eq!(entry["DetailType"], "reservation.released");
    assert_eq!(entry["EventBusName"], "orders-bus");
    let detail: Event = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
    assert_eq!(detail, events[0]);
}

#[tokio::test]
async fn only_rejected_entries_are_sent_again() {
    let stub = StubConnector::new([
        response(&[true, false, true, false]),
        response(&[false, true]),
        response(&[true]),
    ]);
    publish(&stub, &events(4)).await.unwrap();
    assert_eq!(subjects(&stub), [orders(1..=4), orders([2, 4]), orders([2])]);
}

#[tokio::test]
async fn an_entry_that_is_always_rejected_is_an_error_with_the_reason() {
    let stub = StubConnector::new([response(&[true, false]), response(&[false]), response(&[false])]);
    let error = publish(&stub, &events(2)).await.unwrap_err().to_string();
    assert!(error.contains("1 event") && error.contains("ThrottlingException"), "{error}");
}

#[tokio::test]
async fn a_response_with_another_number_of_entries_is_an_error() {
    for accepted in [&[][..], &[true], &[true, true, true]] {
        let error =
            publish(&StubConnector::new([response(accepted)]), &events(2)).await.unwrap_err().to_string();
        assert!(error.contains("for 2"), "{error}");
    }
    assert!(publish(&StubConnector::new([(200, json!({}))]), &events(1)).await.is_err());
}

#[tokio::test]
async fn a_call_that_fails_is_an_error() {
    let denied = (400, json!({"__type": "AccessDeniedException", "message": "not authorized"}));
    let error = publish(&StubConnector::new([denied]), &events(1)).await.unwrap_err();
    assert!(format!("{error:#}").contains("not authorized"), "{error:#}");
}

#[tokio::test]
async fn more_than_ten_events_need_several_requests() {
    let stub = StubConnector::new([response(&[true; 10]), response(&[true; 10]), response(&[true; 3])]);
    publish(&stub, &events(23)).await.unwrap();
    assert_eq!(subjects(&stub), [orders(1..=10), orders(11..=20), orders(21..=23)]);
}

#[tokio::test]
async fn no_events_need_no_request() {
    let stub = StubConnector::default();
    publish(&stub, &[]).await.unwrap();
    assert!(stub.requests().is_empty());
}
