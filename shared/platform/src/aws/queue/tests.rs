use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::aws::stub_connector::StubConnector;

fn queue(wire: &StubConnector) -> Queue {
    let sqs = Sqs::new(&wire.config());
    let dead_letters = DeadLetterQueue::new(sqs.clone(), "https://queue/dead".to_owned());
    Queue::new(sqs, "https://queue/live".to_owned(), dead_letters)
}

#[tokio::test]
async fn a_wait_is_in_whole_seconds_and_never_none() {
    let waits = [(0, 1), (1, 1), (1000, 1), (1001, 2), (900_000, 900), (u64::MAX / 2, 43_200)];
    for (milliseconds, seconds) in waits {
        let wire = StubConnector::new([(200, json!({}))]);
        queue(&wire).extend_visibility_timeout("receipt-1", Duration::from_millis(milliseconds)).await.unwrap();
        let expected = json!({"QueueUrl": "https://queue/live", "ReceiptHandle": "receipt-1", "VisibilityTimeout": seconds});
        assert_eq!(wire.requests(), [expected]);
    }
}

fn letter(error: &str) -> DeadLetter {
    DeadLetter {
        body: "as it came".to_owned(),
        error: error.to_owned(),
        kind: "reject",
        function: "send-email",
        attempt: 3,
        correlation_id: Some("request-1".to_owned()),
        failed_at: Timestamp::UNIX_EPOCH,
    }
}

async fn buried(letter: &DeadLetter) -> Value {
    let wire = StubConnector::new([(200, json!({"MessageId": "m", "MD5OfMessageBody": "x"}))]);
    // The client checks the digests of what it sent; a wrong one is an error of its own.
    let _ = queue(&wire).send_to_dlq(letter).await;
    wire.requests()[0].clone()
}

#[tokio::test]
async fn a_dead_letter_carries_the_message_and_the_reason() {
    let sent = buried(&letter("the inventory refused")).await;
    assert_eq!(
        (&sent["QueueUrl"], &sent["MessageBody"]),
        (&json!("https://queue/dead"), &json!("as it came"))
    );
    for (name, value) in [
        ("error", "the inventory refused"),
        ("kind", "reject"),
        ("function", "send-email"),
        ("attempt", "3"),
        ("correlation_id", "request-1"),
        ("failed_at", "1970-01-01T00:00:00Z"),
    ] {
        let attribute = &sent["MessageAttributes"][name];
        assert_eq!(attribute, &json!({"DataType": "String", "StringValue": value}), "{name}");
    }
}

#[tokio::test]
async fn attributes_are_such_as_the_queue_takes() {
    let long = format!("a\u{0}b\nc\u{ffff}{}", "ü".repeat(5000));
    let sent = buried(&DeadLetter { correlation_id: None, ..letter(&long) }).await;
    let error = sent["MessageAttributes"]["error"]["StringValue"].as_str().unwrap();
    assert!(error.starts_with("a b c ü") && error.chars().count() == 1000, "{error}");
    assert_eq!(sent["MessageAttributes"].get("correlation_id"), None);
    let empty = buried(&letter("")).await;
    assert_eq!(empty["MessageAttributes"].get("error"), None, "SQS refuses an empty attribute");
}

#[tokio::test]
async fn a_call_that_fails_is_an_error() {
    let refused = || StubConnector::new([(400, json!({"__type": "QueueDoesNotExist", "message": "no queue"}))]);
    assert!(queue(&refused()).send_to_dlq(&letter("x")).await.is_err());
    assert!(queue(&refused()).extend_visibility_timeout("r", Duration::from_secs(1)).await.is_err());
}
