//! Events of every kind: those in `events/`, one file each, events that are too large or not JSON, and
//! variants of each function's sample event.

use std::path::Path;

use bench::clock::now;
use bench::functions::{Function, Trigger};
use bytes::Bytes;
use serde_json::{Value, json};

/// An event for an invocation.
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) bytes: Bytes,
}

/// The kind of an event, which determines the expected response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A request from API Gateway's Lambda proxy integration.
    Api,
    /// A proxy event that is not a valid HTTP request. The response is 400.
    InvalidRequest,
    /// Records for a function with that event source; an error for all others.
    Batch,
    /// Any other payload. A function may report an error, but must not panic.
    Other,
}

fn event(kind: Kind, name: &str, bytes: impl Into<Bytes>) -> Event {
    Event { name: name.to_owned(), kind, bytes: bytes.into() }
}

/// Returns the events for all functions.
pub(crate) fn events_for_all_functions() -> Vec<Event> {
    let mut events = files("api", Kind::Api);
    events.extend(files("unreadable", Kind::InvalidRequest));
    events.extend(files("other", Kind::Other));
    assert!(events.len() > 40, "only {} events were found", events.len());
    let headers: Value = (0..40_000).map(|number| (format!("x-{number}"), json!(["1"]))).collect();
    let api = |kind, name, fields| event(kind, name, changed(&request(), &fields).to_string());
    events.extend([
        api(Kind::InvalidRequest, "path of 70 KB", json!({ "path": format!("/{}", "a".repeat(70_000)) })),
        api(
            Kind::InvalidRequest,
            "query of 70 KB",
            json!({ "queryStringParameters": { "a": "a".repeat(70_000) } }),
        ),
        api(
            Kind::Api,
            "40,000 values of a header",
            json!({ "multiValueHeaders": { "x-a": vec!["1"; 40_000] } }),
        ),
        api(Kind::InvalidRequest, "40,000 headers", json!({ "multiValueHeaders": headers })),
        api(Kind::Api, "header of 1 MB", json!({ "headers": { "x-a": "a".repeat(1 << 20) } })),
        api(Kind::Api, "body of 6 MB", json!({ "httpMethod": "POST", "body": "a".repeat(6 << 20) })),
        api(
            Kind::Api,
            "Base64 of 6 MB",
            json!({ "body": "YWFh".repeat(1_572_864), "isBase64Encoded": true }),
        ),
        event(Kind::Other, "nothing", ""),
        event(Kind::Other, "a space", " "),
        event(Kind::Other, "truncated", "{\"Records\": [{"),
        event(Kind::Other, "not UTF-8", &b"{\"a\": \"\xff\xfe\"}"[..]),
        event(Kind::Other, "half a surrogate", "{\"a\": \"\\ud800\"}"),
        event(Kind::Other, "a duplicate key", "{\"Records\": [], \"Records\": []}"),
        event(Kind::Other, "100,000 nested lists", "[".repeat(100_000) + &"]".repeat(100_000)),
        event(Kind::Other, "100,000 nested objects in an unknown field", deep("{\"x\":", "}", 100_000)),
        event(Kind::Other, "numbers out of range", "{\"a\": 1e999, \"b\": 123456789012345678901234567890}"),
        event(Kind::Other, "text of 6 MB", format!("\"{}\"", "a".repeat(6 << 20))),
        event(Kind::Other, "100,000 fields", fields(100_000)),
    ]);
    events
}

/// Returns variants of the function's sample event.
pub(crate) fn sample_variants(function: &Function) -> Vec<Event> {
    let sample: Value = serde_json::from_slice(&function.event(now())).unwrap();
    match function.trigger {
        Trigger::Http => request_variants(&sample),
        Trigger::Records if sample["Records"][0]["eventSource"] == "aws:dynamodb" => change_variants(&sample),
        Trigger::Records => message_variants(&sample),
        Trigger::Other => field_variants(&sample),
    }
}

fn request_variants(sample: &Value) -> Vec<Event> {
    let variant = |kind, name, fields| {
        event(kind, &format!("its sample: {name}"), changed(sample, &fields).to_string())
    };
    let deep_body = deep("[", "]", 100_000);
    vec![
        variant(Kind::Api, "unchanged", json!({})),
        variant(
            Kind::InvalidRequest,
            "a body that is not Base64",
            json!({ "body": "{}", "isBase64Encoded": true }),
        ),
        variant(Kind::InvalidRequest, "a path of 70 KB", json!({ "path": "/a".repeat(35_000) })),
        variant(
            Kind::InvalidRequest,
            "a query of 70 KB",
            json!({ "multiValueQueryStringParameters": { "a": vec!["1"; 20_000] } }),
        ),
        variant(
            Kind::Api,
            "no authority in Host",
            json!({ "headers": { "Host": "1234567890.execute-api.{dns_suffix}" } }),
        ),
        variant(Kind::Api, "a deeply nested body", json!({ "body": deep_body })),
        variant(Kind::Api, "a body of NUL characters", json!({ "body": "\u{0}".repeat(100) })),
        variant(Kind::Api, "no context", json!({ "requestContext": null })),
        variant(
            Kind::Api,
            "only a method and a path",
            json!({
                "headers": null, "multiValueHeaders": null, "queryStringParameters": null, "pathParameters": null,
                "multiValueQueryStringParameters": null, "stageVariables": null, "requestContext": {}, "body": null,
            }),
        ),
        variant(Kind::Api, "a path that is not UTF-8", json!({ "path": "/orders/%ff%fe/invoice" })),
        variant(
            Kind::Api,
            "an unusual query",
            json!({ "multiValueQueryStringParameters": { "limit": ["-1", "1e9"], "": [""], "next": ["\u{0}"] } }),
        ),
    ]
}

fn message_variants(sample: &Value) -> Vec<Event> {
    let with = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut batch = sample.clone();
        change(&mut batch["Records"][0]);
        event(Kind::Batch, &format!("its sample: {name}"), batch.to_string())
    };
    let body = |name: &str, text: &str| with(name, &|record| record["body"] = text.into());
    let detail = |name: &str, detail: Value| {
        let mut message: Value =
            serde_json::from_str(sample["Records"][0]["body"].as_str().unwrap()).unwrap();
        message["detail"] = detail;
        body(name, &message.to_string())
    };
    let many = {
        let record = &sample["Records"][0];
        json!({ "Records": vec![record; 10] })
    };
    vec![
        with("unchanged", &|_| {}),
        event(Kind::Batch, "its sample: ten times", many.to_string()),
        event(Kind::Batch, "its sample: no records", "{\"Records\": []}"),
        body("an empty body", ""),
        body("a body that is not JSON", "{\"detail\": "),
        body("a body of null", "null"),
        body("a body that is a list", "[1, [2]]"),
        body("a body that is a number", "1e308"),
        body("a deeply nested message body", &deep("[", "]", 100_000)),
        body("a body of 256 KB", &format!("{{\"detail\": \"{}\"}}", "ü".repeat(131_000))),
        detail("no detail", Value::Null),
        detail("a detail that is a list", json!([])),
        detail(
            "a detail with fields of other types",
            json!({ "id": 1, "type": [], "subject": {}, "data": "x", "time": -1 }),
        ),
        with("without a body", &|record| record["body"] = Value::Null),
        with("without ids", &|record| {
            (record["messageId"], record["receiptHandle"]) = (Value::Null, Value::Null);
        }),
        with("without attributes", &|record| record["attributes"] = Value::Null),
        with("a large receive count", &|record| {
            record["attributes"]["ApproximateReceiveCount"] = "4294967295".into();
            record["body"] = "x".into();
        }),
        with("a receive count that is not a number", &|record| {
            record["attributes"]["ApproximateReceiveCount"] = "-1".into();
        }),
        with("of another event source", &|record| record["eventSource"] = "aws:kafka".into()),
    ]
    .into_iter()
    .map(|event| Event {
        kind: if event.name.ends_with("of another event source") { Kind::Other } else { event.kind },
        ..event
    })
    .collect()
}

fn change_variants(sample: &Value) -> Vec<Event> {
    let with = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut batch = sample.clone();
        change(&mut batch["Records"][0]);
        event(Kind::Batch, &format!("its sample: {name}"), batch.to_string())
    };
    let values = json!({
        "event": { "S": "{" }, "order": { "S": "null" }, "n": { "N": "1e400" }, "b": { "B": "AAE=" }, "t": { "BOOL": true },
        "z": { "NULL": true }, "l": { "L": [{ "M": {} }] }, "ss": { "SS": ["a", "a"] }, "ns": { "NS": [] }, "bs": { "BS": [] },
    });
    let mut events: Vec<Event> = ["INSERT", "MODIFY", "REMOVE", "", "TRUNCATE"]
        .into_iter()
        .flat_map(|name| {
            let named = move |record: &mut Value| record["eventName"] = name.into();
            [
                with(&format!("{name:?}"), &named),
                with(&format!("{name:?} without images"), &|record| {
                    named(record);
                    let change = record["dynamodb"].as_object_mut().unwrap();
                    change.retain(|field, _| !field.ends_with("Image"));
                }),
                with(&format!("{name:?} with values of every type"), &|record| {
                    named(record);
                    record["dynamodb"]["NewImage"] = values.clone();
                }),
            ]
        })
        .collect();
    events.extend([
        with("an image of null", &|record| record["dynamodb"]["NewImage"] = Value::Null),
        with("an image without values", &|record| record["dynamodb"]["NewImage"] = json!({})),
        with("no keys", &|record| record["dynamodb"]["Keys"] = Value::Null),
        with("no sequence number", &|record| record["dynamodb"]["SequenceNumber"] = Value::Null),
        with("a creation date long ago", &|record| {
            record["dynamodb"]["ApproximateCreationDateTime"] = json!(-1e300);
        }),
        with("an unknown attribute type", &|record| {
            record["dynamodb"]["NewImage"] = json!({ "a": { "Q": "1" } });
        }),
    ]);
    // A batch that cannot be parsed as a whole is an error.
    let unparsable = ["a creation date long ago", "an unknown attribute type"];
    for event in events.iter_mut().filter(|event| unparsable.iter().any(|name| event.name.ends_with(name))) {
        event.kind = Kind::Other;
    }
    events
}

fn field_variants(sample: &Value) -> Vec<Event> {
    let variant =
        |name: &str, value: Value| event(Kind::Other, &format!("its sample: {name}"), value.to_string());
    let mut events = vec![variant("unchanged", sample.clone())];
    for name in sample.as_object().unwrap().keys() {
        for value in [Value::Null, json!([]), json!({}), json!("\u{0}"), json!(-1.5)] {
            events.push(variant(
                &format!("{name} = {value}"),
                changed(sample, &json!({ name.as_str(): value })),
            ));
        }
    }
    events
}

/// Returns a minimal proxy event.
fn request() -> Value {
    json!({
        "resource": "/{proxy+}", "path": "/", "httpMethod": "GET", "headers": {}, "multiValueHeaders": {},
        "requestContext": { "requestId": "47becfa0-ccbb-59c3-8c1d-a06cccbebd6f", "stage": "v1" }, "isBase64Encoded": false,
    })
}

fn changed(event: &Value, fields: &Value) -> Value {
    let mut event = event.clone();
    for (name, value) in fields.as_object().unwrap() {
        event[name] = value.clone();
    }
    event
}

fn deep(open: &str, close: &str, levels: usize) -> String {
    open.repeat(levels) + "1" + &close.repeat(levels)
}

fn fields(count: usize) -> String {
    let fields: Vec<String> = (0..count).map(|number| format!("\"f{number}\":0")).collect();
    format!("{{{}}}", fields.join(","))
}

fn files(folder: &str, kind: Kind) -> Vec<Event> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("events").join(folder);
    let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let event = |path: &std::path::PathBuf| {
        event(kind, &path.file_stem().unwrap().to_string_lossy(), std::fs::read(path).unwrap())
    };
    paths.iter().map(event).collect()
}
