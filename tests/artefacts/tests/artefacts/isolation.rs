//! A panic in the handling of one message affects neither the other messages of its batch nor the process.

use std::collections::BTreeMap;
use std::time::Duration;

use bench::backend::Backend;
use bench::functions::{Function, Trigger};
use bench::process::Process;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::artefact;

const QUEUE_URL: &str = "https://sqs.us-east-1.amazonaws.com/123456789012/PlantedPanicQueue";

fn panicking_function() -> Function {
    let variables = [("QUEUE_URL", QUEUE_URL), ("DEAD_LETTER_QUEUE_URL", QUEUE_URL), ("LOG_LEVEL", "ERROR")];
    Function {
        name: "planted-panic".to_owned(),
        memory: 128,
        timeout: Duration::from_secs(10),
        variables: BTreeMap::from(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))),
        sample: Bytes::new(),
        trigger: Trigger::Records,
    }
}

fn batch(bodies: &[Value]) -> Bytes {
    let records: Vec<Value> = bodies
        .iter()
        .enumerate()
        .map(|(number, body)| {
            json!({
                "messageId": format!("m-{number}"), "receiptHandle": format!("r-{number}"), "body": body.to_string(),
                "attributes": { "ApproximateReceiveCount": "1" }, "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:PlantedPanicQueue", "awsRegion": "us-east-1",
            })
        })
        .collect();
    json!({ "Records": records }).to_string().into()
}

#[tokio::test]
async fn a_panic_fails_only_its_own_message() {
    let function = panicking_function();
    let backend = Backend::start(None).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("output");
    let binary = artefact(&function.name);
    let (mut process, _) =
        Process::start(&function, &binary, &backend.addresses(&function), &log).await.unwrap();
    for place in ["handler", "labels"] {
        let messages = [json!({}), json!({ "panic": place }), json!({})];
        let (_, response) = process.send(batch(&messages)).await.unwrap();
        let response: Value = serde_json::from_slice(&response.unwrap()).unwrap();
        assert_eq!(
            response,
            json!({ "batchItemFailures": [{ "itemIdentifier": "m-1" }] }),
            "panic in {place}"
        );
    }
    let (_, response) = process.invoke_with(batch(&[json!({}), json!({})])).await.unwrap();
    assert_eq!(response, json!({ "batchItemFailures": [] }));
    process.end().await.unwrap();
}
