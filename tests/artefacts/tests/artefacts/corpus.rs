//! Events of every kind: those in `events/`, one file each, those that are too large or no JSON, and for each function
//! its own sample with something odd in it.

use std::path::Path;

use bench::clock::now;
use bench::functions::{Function, Trigger};
use bytes::Bytes;
use serde_json::{Value, json};

/// An event.
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) bytes: Bytes,
}

/// Whose event it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A request of API Gateway's Lambda proxy integration.
    Api,
    /// One that is no HTTP request: 400.
    Unreadable,
    /// Records for a function that takes records of that source, and an error for others.
    Batch,
    /// Anything else.
    Other,
}

fn event(kind: Kind, name: &str, bytes: impl Into<Bytes>) -> Event {
    Event { name: name.to_owned(), kind, bytes: bytes.into() }
}

/// Events for all functions.
pub(crate) fn every_kind() -> Vec<Event> {
    let mut events = files("api", Kind::Api);
    events.extend(files("unreadable", Kind::Unreadable));
    events.extend(files("other", Kind::Other));
    assert!(events.len() > 40, "only {} events were found", events.len());
    let headers: Value = (0..40_000).map(|number| (format!("x-{number}"), json!(["1"]))).collect();
    let api = |kind, name, fields| event(kind, name, changed(&request(), &fields).to_string());
    events.extend([
        api(Kind::Unreadable, "path of 70 KB", json!({ "path": format!("/{}", "a".repeat(70_000)) })),
        api(
            Kind::Unreadable,
            "query of 70 KB",
            json!({ "queryStringParameters": { "a": "a".repeat(70_000) } }),
        ),
        api(
            Kind::Api,
            "40,000 values of a header",
            json!({ "multiValueHeaders": { "x-a": vec!["1"; 40_000] } }),
        ),
        api(Kind::Unreadable, "40,000 headers", json!({ "multiValueHeaders": headers })),
        api(Kind::Api, "header of 1 MB", json!({ "headers": { "x-a": "a".repeat(1 << 20) } })),
        api(Kind::Api, "body of 6 MB", json!({ "httpMethod": "POST", "body": "a".repeat(6 << 20) })),
        api(
            Kind::Api,
            "Base64 of 6 MB",
            json!({ "body": "YWFh".repeat(1_572_864), "isBase64Encoded": true }),
        ),
        event(Kind::Other, "nothing", ""),
        event(Kind::Other, "a space", " "),
        event(Kind::Other, "broken off", "{\"Records\": [{"),
        event(Kind::Other, "no UTF-8", &b"{\"a\": \"\xff\xfe\"}"[..]),
        event(Kind::Other, "half a surrogate", "{\"a\": \"\\ud800\"}"),
        event(Kind::Other, "a key twice", "{\"Records\": [], \"Records\": []}"),
        event(Kind::Other, "100,000 lists in each other", "[".repeat(100_000) + &"]".repeat(100_000)),
        event(Kind::Other, "deep in what is not looked at", deep("{\"x\":", "}", 100_000)),
        event(Kind::Other, "no number is so large", "{\"a\": 1e999, \"b\": 123456789012345678901234567890}"),
        event(Kind::Other, "text of 6 MB", format!("\"{}\"", "a".repeat(6 << 20))),
        event(Kind::Other, "100,000 fields", fields(100_000)),
    ]);
    events
}

/// The function's own sample, with something odd in it.
pub(crate) fn odd_ones_of(function: &Function) -> Vec<Event> {
    let sample: Value = serde_json::from_slice(&function.event(now())).unwrap();
    match function.trigger {
        Trigger::Http => odd_requests(&sample),
        Trigger::Records if sample["Records"][0]["eventSource"] == "aws:dynamodb" => odd_changes(&sample),
        Trigger::Records => odd_messages(&sample),
        Trigger::Other => odd_fields(&sample),
    }
}

fn odd_requests(sample: &Value) -> Vec<Event> {
    let odd = |kind, name, fields| {
        event(kind, &format!("its own sample: {name}"), changed(sample, &fields).to_string())
    };
    let deep_body = deep("[", "]", 100_000);
    vec![
        odd(Kind::Api, "as it is", json!({})),
        odd(Kind::Unreadable, "a body that is no Base64", json!({ "body": "{}", "isBase64Encoded": true })),
        odd(Kind::Unreadable, "a path of 70 KB", json!({ "path": "/a".repeat(35_000) })),
        odd(
            Kind::Unreadable,
            "a query of 70 KB",
            json!({ "multiValueQueryStringParameters": { "a": vec!["1"; 20_000] } }),
        ),
        odd(
            Kind::Api,
            "no authority in Host",
            json!({ "headers": { "Host": "1234567890.execute-api.{dns_suffix}" } }),
        ),
        odd(Kind::Api, "a body that is deep", json!({ "body": deep_body })),
        odd(Kind::Api, "a body of nothing but NUL", json!({ "body": "\u{0}".repeat(100) })),
        odd(Kind::Api, "no context", json!({ "requestContext": null })),
        odd(
            Kind::Api,
            "nothing but a method and a path",
            json!({
                "headers": null, "multiValueHeaders": null, "queryStringParameters": null, "pathParameters": null,
                "multiValueQueryStringParameters": null, "stageVariables": null, "requestContext": {}, "body": null,
            }),
        ),
        odd(Kind::Api, "a path that is no UTF-8", json!({ "path": "/orders/%ff%fe/invoice" })),
        odd(
            Kind::Api,
            "an odd query",
            json!({ "multiValueQueryStringParameters": { "limit": ["-1", "1e9"], "": [""], "next": ["\u{0}"] } }),
        ),
    ]
}

fn odd_messages(sample: &Value) -> Vec<Event> {
    let with = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut batch = sample.clone();
        change(&mut batch["Records"][0]);
        event(Kind::Batch, &format!("its own sample: {name}"), batch.to_string())
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
        with("as it is", &|_| {}),
        event(Kind::Batch, "its own sample: ten times", many.to_string()),
        event(Kind::Batch, "its own sample: no records", "{\"Records\": []}"),
        body("an empty body", ""),
        body("a body that is no JSON", "{\"detail\": "),
        body("a body of null", "null"),
        body("a body that is a list", "[1, [2]]"),
        body("a body that is a number", "1e308"),
        body("a deep body", &deep("[", "]", 100_000)),
        body("a body of 256 KB", &format!("{{\"detail\": \"{}\"}}", "ü".repeat(131_000))),
        detail("no detail", Value::Null),
        detail("a detail that is a list", json!([])),
        detail(
            "a detail of other types",
            json!({ "id": 1, "type": [], "subject": {}, "data": "x", "time": -1 }),
        ),
        with("without a body", &|record| record["body"] = Value::Null),
        with("without ids", &|record| {
            (record["messageId"], record["receiptHandle"]) = (Value::Null, Value::Null);
        }),
        with("without attributes", &|record| record["attributes"] = Value::Null),
        with("an attempt of many", &|record| {
            record["attributes"]["ApproximateReceiveCount"] = "4294967295".into();
            record["body"] = "x".into();
        }),
        with("an attempt that is no number", &|record| {
            record["attributes"]["ApproximateReceiveCount"] = "-1".into();
        }),
        with("of another source", &|record| record["eventSource"] = "aws:kafka".into()),
    ]
    .into_iter()
    .map(|event| Event {
        kind: if event.name.ends_with("of another source") { Kind::Other } else { event.kind },
        ..event
    })
    .collect()
}

fn odd_changes(sample: &Value) -> Vec<Event> {
    let with = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut batch = sample.clone();
        change(&mut batch["Records"][0]);
        event(Kind::Batch, &format!("its own sample: {name}"), batch.to_string())
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
        with("long ago", &|record| record["dynamodb"]["ApproximateCreationDateTime"] = json!(-1e300)),
        with("a type that there is not", &|record| {
            record["dynamodb"]["NewImage"] = json!({ "a": { "Q": "1" } });
        }),
    ]);
    // A batch that cannot be read as a whole is an error.
    let unreadable = ["long ago", "a type that there is not"];
    for event in events.iter_mut().filter(|event| unreadable.iter().any(|name| event.name.ends_with(name))) {
        event.kind = Kind::Other;
    }
    events
}

fn odd_fields(sample: &Value) -> Vec<Event> {
    let odd =
        |name: &str, value: Value| event(Kind::Other, &format!("its own sample: {name}"), value.to_string());
    let mut events = vec![odd("as it is", sample.clone())];
    for name in sample.as_object().unwrap().keys() {
        for value in [Value::Null, json!([]), json!({}), json!("\u{0}"), json!(-1.5)] {
            events.push(odd(&format!("{name} = {value}"), changed(sample, &json!({ name.as_str(): value }))));
        }
    }
    events
}

/// A request that every function takes for one.
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
