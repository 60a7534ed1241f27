use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::stub_connector::StubConnector;

fn queue(stub: &StubConnector) -> Queue {
    let sqs = Sqs::new(&stub.config());
    let dead_letters = DeadLetterQueue::new(sqs.clone(), "https://queue/dead".to_owned());
    Queue::new(sqs, "https://queue/live".to_owned(), dead_letters)
}

#[tokio::test]
async fn visibility_timeouts_are_whole_seconds_and_at_least_one() {
    let durations = [(0, 1), (1, 1), (1000, 1), (1001, 2), (900_000, 900), (u64::MAX / 2, 43_200)];
    for (milliseconds, seconds) in durations {
        let stub = StubConnector::new([(200, json!({}))]);
        queue(&stub)
            .extend_visibility_timeout("receipt-1", Duration::from_millis(milliseconds))
            .await
            .unwrap();
        let expected = json!({"QueueUrl": "https://queue/live", "ReceiptHandle": "receipt-1", "VisibilityTimeout": seconds});
        assert_eq!(stub.requests(), [expected]);
    }
}

fn dead_letter(error: &str) -> DeadLetter {
    DeadLetter {
        body: "original".to_owned(),
        error: error.to_owned(),
        kind: "reject",
        function: "send-email",
        attempt: 3,
        correlation_id: Some("request-1".to_owned()),
        failed_at: Timestamp::UNIX_EPOCH,
    }
}

/// The request that sends `dead_letter` to the DLQ.
async fn sent(dead_letter: &DeadLetter) -> Value {
    let stub = StubConnector::new([(200, json!({"MessageId": "m", "MD5OfMessageBody": "x"}))]);
    // The stub returns a wrong digest of the message, which the client reports as an error.
    let _ = queue(&stub).send_to_dlq(dead_letter).await;
    stub.requests()[0].clone()
}

#[tokio::test]
async fn a_dead_letter_message_has_the_original_body_and_the_reason() {
    let sent = sent(&dead_letter("the inventory refused")).await;
    assert_eq!((&sent["QueueUrl"], &sent["MessageBody"]), (&json!("https://queue/dead"), &json!("original")));
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
async fn attributes_are_valid_for_sqs() {
    let long = format!("a\u{0}b\nc\u{ffff}{}", "ü".repeat(5000));
    let long = sent(&DeadLetter { correlation_id: None, ..dead_letter(&long) }).await;
    let error = long["MessageAttributes"]["error"]["StringValue"].as_str().unwrap();
    assert!(error.starts_with("a b c ü") && error.chars().count() == 1000, "{error}");
    assert_eq!(long["MessageAttributes"].get("correlation_id"), None);
    let empty = sent(&dead_letter("")).await;
    assert_eq!(empty["MessageAttributes"].get("error"), None, "SQS rejects an empty attribute");
}

#[tokio::test]
async fn a_call_that_fails_is_an_error() {
    let denied =
        || StubConnector::new([(400, json!({"__type": "QueueDoesNotExist", "message": "no queue"}))]);
    assert!(queue(&denied()).send_to_dlq(&dead_letter("x")).await.is_err());
    assert!(queue(&denied()).extend_visibility_timeout("r", Duration::from_secs(1)).await.is_err());
}
