//! The contract and the functions agree on which bodies are valid, and every error names its field.

use std::cell::Cell;

use openapi::{document, services};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::Value;

use crate::TEXT_RULES;
use crate::client::{Client, clients, validate_response};
use crate::generate::{matching, mutated};

/// The rules that only the function checks, because no schema can express them: how the details of their errors begin.
const FUNCTION_ONLY_RULES: [&str; 10] = [
    "must have a public host name",
    "must name each product once",
    "all prices must be in one currency",
    "the total must be",
    "is missing: say which customer",
    "is missing: say where to send emails",
    "must be a date such as 2026-11-01, or a time",
    "must be after from",
    "must be at most a year after from",
    "must be in the past",
];

fn breaks_only_function_rules(problem: &Value) -> bool {
    let errors = problem["errors"].as_array().into_iter().flatten();
    let details: Vec<&str> = errors.filter_map(|error| error["detail"].as_str()).collect();
    // A partner's customer ids are stored with the partner's name as a prefix, and so may be shorter.
    let known = |detail: &str| {
        FUNCTION_ONLY_RULES.iter().chain(&TEXT_RULES).any(|it| detail.starts_with(it))
            || detail.starts_with("must have 1 to 64")
    };
    !details.is_empty() && details.into_iter().all(known)
}

/// Whether there are errors, and each points to a value of the body, or to a field that its object lacks.
fn names_existing_places(problem: &Value, body: &Value) -> bool {
    let exists = |pointer: &str| {
        let parent = pointer.rsplit_once('/').map(|(parent, _)| body.pointer(parent));
        body.pointer(pointer).is_some() || parent.flatten().is_some_and(Value::is_object)
    };
    let mut errors = problem["errors"].as_array().into_iter().flatten().peekable();
    errors.peek().is_some() && errors.all(|error| error["pointer"].as_str().is_none_or(exists))
}

/// Calls `test` with each operation that takes a body, the contract, and the schema of the body.
fn for_each_body(test: impl Fn(&Client, &Value, &Value)) {
    let document = document(&services()).unwrap();
    for client in clients().iter() {
        if let Some(body) = &client.operation.description().body {
            test(client, &document, &document["components"]["schemas"][&body.name]);
        }
    }
}

/// Runs `check` with so many values. Panics with the simplest one that fails it.
fn run(
    client: &Client,
    cases: u32,
    values: &impl Strategy<Value = Value>,
    check: impl Fn(Value) -> Result<(), TestCaseError>,
) {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    let result = TestRunner::new(config).run(values, check);
    result.unwrap_or_else(|error| panic!("{}: {error}", client.operation.id));
}

#[test]
fn function_and_contract_agree_on_bodies() {
    for_each_body(|client, document, schema| {
        let mut whole = schema.clone();
        whole["components"] = document["components"].clone();
        let contract = jsonschema::draft202012::new(&whole).unwrap();
        let (accepted, rejected) = (Cell::new(0), Cell::new(0));
        run(client, 300, &mutated(matching(document, schema)), |value| {
            let response = client.send(value.to_string());
            prop_assert!(!response.status.is_server_error(), "{response:?}");
            validate_response(client, &response).map_err(TestCaseError::fail)?;
            // No pattern can express which names are valid Punycode.
            let has_punycode = value.to_string().to_ascii_lowercase().contains("xn--");
            let is_valid = contract.is_valid(&value) && !has_punycode;
            if response.status != 400 {
                accepted.set(accepted.get() + 1);
                prop_assert!(
                    contract.is_valid(&value),
                    "the function accepts a body that the contract rejects: {value}"
                );
            } else {
                rejected.set(rejected.get() + 1);
                prop_assert!(names_existing_places(&response.json(), &value), "{value}: {}", response.json());
                prop_assert!(
                    !is_valid || breaks_only_function_rules(&response.json()),
                    "the function rejects a body that the contract accepts: {value}: {}",
                    response.json()
                );
            }
            Ok(())
        });
        assert!(
            accepted.get() > 15 && rejected.get() > 15,
            "{}: {} bodies were accepted and {} rejected",
            client.operation.id,
            accepted.get(),
            rejected.get()
        );
    });
}

/// Every array where the contract has an object, at any depth: `serde` takes an array for a struct.
#[test]
fn an_array_is_not_an_object() {
    for_each_body(|client, document, schema| {
        run(client, 100, &matching(document, schema), |value| {
            for pointer in objects(&value, "") {
                let mut changed = value.clone();
                let object = changed.pointer_mut(&pointer).unwrap();
                *object = object.as_object().unwrap().values().cloned().collect();
                let response = client.send(changed.to_string());
                prop_assert_eq!(response.status.as_u16(), 400, "{}", changed);
                let problem = response.json();
                prop_assert!(
                    problem["errors"].as_array().unwrap().iter().any(|it| it["pointer"] == pointer.as_str()),
                    "{pointer}: {problem}"
                );
            }
            Ok(())
        });
    });
}

/// The pointers to all objects in a value.
fn objects(value: &Value, pointer: &str) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let nested = fields.iter().flat_map(|(name, it)| objects(it, &format!("{pointer}/{name}")));
            std::iter::once(pointer.to_owned()).chain(nested).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(at, it)| objects(it, &format!("{pointer}/{at}"))).collect()
        }
        _ => Vec::new(),
    }
}

/// A key that is repeated at any depth is refused, with the pointer to it.
#[test]
fn a_repeated_key_is_refused() {
    for_each_body(|client, document, schema| {
        run(client, 100, &matching(document, schema), |value| {
            for pointer in objects(&value, "") {
                for name in value.pointer(&pointer).unwrap().as_object().unwrap().keys() {
                    let repeated = format!("{pointer}/{name}");
                    let response = client.send(text_with_repeated(&value, "", &repeated));
                    let problem = response.json();
                    let mut errors = problem["errors"].as_array().into_iter().flatten();
                    prop_assert!(
                        response.status == 400
                            && errors.any(|it| it["pointer"] == repeated.as_str())
                            && names_existing_places(&problem, &value),
                        "{repeated}: {problem}"
                    );
                }
            }
            Ok(())
        });
    });
}

/// The JSON text of a value, in which the field at `repeated` occurs twice.
fn text_with_repeated(value: &Value, pointer: &str, repeated: &str) -> String {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| {
                let at = format!("{pointer}/{name}");
                let field = format!("{}:{}", Value::from(&**name), text_with_repeated(value, &at, repeated));
                if at == repeated { format!("{field},{field}") } else { field }
            });
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            let items =
                items.map(|(at, item)| text_with_repeated(item, &format!("{pointer}/{at}"), repeated));
            format!("[{}]", items.collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}
