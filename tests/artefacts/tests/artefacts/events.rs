//! No event ends a process, and each gets an answer of the form that its sender expects, or an error.

use bench::backend::Backend;
use bench::functions::{Function, Trigger};
use bench::process::Process;
use bytes::Bytes;
use serde_json::Value;

use crate::artefact;
use crate::corpus::{Event, Kind, every_kind, odd_ones_of};

#[tokio::test]
async fn no_event_ends_a_process() {
    let backend = Backend::start(None).await.unwrap();
    let events = every_kind();
    let mut wrong = Vec::new();
    for function in Function::of_repository(&[]).unwrap() {
        let wrong_here = try_all(&function, &backend, &events).await;
        wrong.extend(wrong_here.into_iter().map(|what| format!("{}: {what}", function.name)));
    }
    assert!(wrong.is_empty(), "{} answers are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

async fn try_all(function: &Function, backend: &Backend, events: &[Event]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("output");
    let binary = artefact(&function.name);
    let mut function = function.clone();
    function.variables.insert("LOG_LEVEL".to_owned(), "ERROR".to_owned());
    let started = Process::start(&function, &binary, &backend.addresses(&function), &log).await;
    let (mut process, _) = started.unwrap_or_else(|error| panic!("{error:#}"));
    let mut wrong = Vec::new();
    for event in events.iter().chain(&odd_ones_of(&function)) {
        match process.send(event.bytes.clone()).await {
            Ok((_, answer)) => {
                if let Err(what) = check(function.trigger, event.kind, &answer) {
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
        wrong.push(format!("its own sample after all others: {error:#}"));
    }
    process.end().await.unwrap();
    wrong
}

/// Whether the answer is one that whoever sends such events to such a function can make something of.
fn check(trigger: Trigger, kind: Kind, answer: &Result<Bytes, String>) -> Result<(), String> {
    let answer = match answer {
        // What reports an error in this form is the runtime: the handler has not panicked.
        Err(error) if error.contains("panicked") => return Err(format!("a panic: {error}")),
        Err(error) if trigger == Trigger::Http && kind != Kind::Other => {
            return Err(format!("a request was answered with an error: {error}"));
        }
        Err(_) => return Ok(()),
        Ok(answer) => {
            serde_json::from_slice::<Value>(answer).map_err(|_| "the answer is no JSON".to_owned())?
        }
    };
    let is_good = match (trigger, kind) {
        (Trigger::Http, Kind::Unreadable) => is_refusal(&answer),
        (Trigger::Http, _) => {
            answer["statusCode"].as_u64().is_some_and(|status| (200..500).contains(&status) || status == 503)
        }
        (Trigger::Records, Kind::Batch) => answer["batchItemFailures"].is_array(),
        // Nobody may be told that all is done, and throw away what it was.
        (Trigger::Records, _) => false,
        (Trigger::Other, _) => true,
    };
    if is_good { Ok(()) } else { Err(format!("it answered {answer:.300}")) }
}

/// Whether a client is told that its request cannot be read.
fn is_refusal(answer: &Value) -> bool {
    let problem: Value =
        serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default();
    let headers = &answer["multiValueHeaders"];
    answer["statusCode"] == 400
        && headers["content-type"][0] == "application/problem+json"
        && problem["type"].as_str().is_some_and(|name| name.starts_with("urn:serverless-orders:problem:"))
        && problem["correlation_id"].is_string()
        && headers["x-correlation-id"][0] == problem["correlation_id"]
}
