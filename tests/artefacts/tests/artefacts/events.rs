//! No event terminates a process, and each invocation returns a response in the expected format, or an error.

use bench::backend::Backend;
use bench::functions::{Function, Trigger};
use bench::process::Process;
use bytes::Bytes;
use serde_json::Value;

use crate::artefact;
use crate::corpus::{Event, Kind, events_for_all_functions, sample_variants};

#[tokio::test]
async fn no_event_terminates_a_process() {
    let backend = Backend::start(None).await.unwrap();
    let events = events_for_all_functions();
    let mut wrong = Vec::new();
    for function in Function::of_repository(&[]).unwrap() {
        let wrong_here = invoke_with_all(&function, &backend, &events).await;
        wrong.extend(wrong_here.into_iter().map(|what| format!("{}: {what}", function.name)));
    }
    assert!(wrong.is_empty(), "{} responses are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

async fn invoke_with_all(function: &Function, backend: &Backend, events: &[Event]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("output");
    let binary = artefact(&function.name);
    let mut function = function.clone();
    function.variables.insert("LOG_LEVEL".to_owned(), "ERROR".to_owned());
    let started = Process::start(&function, &binary, &backend.addresses(&function), &log).await;
    let (mut process, _) = started.unwrap_or_else(|error| panic!("{error:#}"));
    let mut wrong = Vec::new();
    for event in events.iter().chain(&sample_variants(&function)) {
        match process.send(event.bytes.clone()).await {
            Ok((_, response)) => {
                if let Err(what) = check(function.trigger, event.kind, &response) {
                    wrong.push(format!("{}: {what}", event.name));
                }
            }
            Err(error) => {
                wrong.push(format!("{}: {error:#}", event.name));
                return wrong;
            }
        }
    }
    if let Err(error) = process.invoke().await {
        wrong.push(format!("its sample after all other events: {error:#}"));
    }
    process.end().await.unwrap();
    wrong
}

/// Checks that the response is valid for an event of this kind and a function with this trigger.
fn check(trigger: Trigger, kind: Kind, response: &Result<Bytes, String>) -> Result<(), String> {
    let response = match response {
        // The runtime reports errors without this word: the handler panicked.
        Err(error) if error.contains("panicked") => return Err(format!("a panic: {error}")),
        Err(error) if trigger == Trigger::Http && kind != Kind::Other => {
            return Err(format!("a request failed with an error: {error}"));
        }
        Err(_) => return Ok(()),
        Ok(response) => {
            serde_json::from_slice::<Value>(response).map_err(|_| "the response is not JSON".to_owned())?
        }
    };
    let is_valid = match (trigger, kind) {
        (Trigger::Http, Kind::InvalidRequest) => is_bad_request(&response),
        (Trigger::Http, _) => response["statusCode"]
            .as_u64()
            .is_some_and(|status| (200..500).contains(&status) || status == 503),
        (Trigger::Records, Kind::Batch) => response["batchItemFailures"].is_array(),
        // A success would make the event source discard the records.
        (Trigger::Records, _) => false,
        (Trigger::Other, _) => true,
    };
    if is_valid { Ok(()) } else { Err(format!("the response is {response:.300}")) }
}

/// Returns whether the response is a problem document with status 400.
fn is_bad_request(response: &Value) -> bool {
    let problem: Value =
        serde_json::from_str(response["body"].as_str().unwrap_or_default()).unwrap_or_default();
    let headers = &response["multiValueHeaders"];
    response["statusCode"] == 400
        && headers["content-type"][0] == "application/problem+json"
        && problem["type"].as_str().is_some_and(|name| name.starts_with("urn:serverless-orders:problem:"))
        && problem["correlation_id"].is_string()
        && headers["x-correlation-id"][0] == problem["correlation_id"]
}
