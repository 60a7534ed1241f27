//! The contract and the functions agree on which bodies are good, and the gateway lets through all that are.

use openapi::{document, model, services};
use proptest::prelude::*;
use serde_json::Value;

use crate::client::{clients, described};
use crate::generate::{changed, fitting};

/// What only the function can tell, because no schema can say it.
const ONLY_THE_FUNCTION: [&str; 9] = [
    "must have a public host name",
    "must name each product once",
    "all prices must be in one currency",
    "the total must be at most",
    "is missing: say which customer",
    "must be a date such as 2026-11-01, or a time",
    "must be after from",
    "must be at most a year after from",
    "must be in the past",
];

fn is_only_the_functions(problem: &Value) -> bool {
    let errors = problem["errors"].as_array().into_iter().flatten();
    let details: Vec<&str> = errors.filter_map(|error| error["detail"].as_str()).collect();
    // A partner's customer has the partner's name in front, and so less room for its own.
    let known = |detail: &str| {
        ONLY_THE_FUNCTION.iter().any(|it| detail.starts_with(it)) || detail.starts_with("must have 1 to 64")
    };
    !details.is_empty() && details.into_iter().all(known)
}

#[test]
fn function_schema_and_gateway_agree() {
    let document = document(&services()).unwrap();
    for client in clients().iter().filter(|client| client.has_body()) {
        let body = client.operation.description().body.unwrap();
        let schema = document["components"]["schemas"][&body.name].clone();
        let mut whole = schema.clone();
        whole["components"] = document["components"].clone();
        let contract = jsonschema::draft202012::new(&whole).unwrap();
        let gateway = jsonschema::draft4::new(&model(&schema, &document).unwrap()).unwrap();
        let (accepted, refused) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
        let mut config = ProptestConfig::with_cases(400);
        config.failure_persistence = None;
        let mut runner = proptest::test_runner::TestRunner::new(config);
        let checked = runner.run(&changed(fitting(&document, &schema)), |value| {
            let answer = client.send(value.to_string());
            prop_assert!(!answer.status.is_server_error(), "{answer:?}");
            described(client, &answer).map_err(TestCaseError::fail)?;
            let taken = answer.status != 400;
            // `1.0` is an integer to this draft of JSON Schema, and none to draft 4 and to the functions. Which names are
            // good Punycode, no pattern can say.
            let text = value.to_string();
            let fits = contract.is_valid(&value) && !text.contains("1.0") && !text.contains("xn--");
            if taken {
                accepted.set(accepted.get() + 1);
                prop_assert!(
                    contract.is_valid(&value),
                    "the function takes what the contract does not: {value}"
                );
            } else {
                refused.set(refused.get() + 1);
                prop_assert!(
                    !fits || is_only_the_functions(&answer.json()),
                    "the function refuses what the contract takes: {value}: {}",
                    answer.json()
                );
            }
            prop_assert!(
                !(fits || taken) || gateway.is_valid(&value),
                "the gateway refuses what the contract takes: {value}"
            );
            Ok(())
        });
        checked.unwrap_or_else(|error| panic!("{}: {error}", client.operation.id));
        assert!(accepted.get() > 5 && refused.get() > 5, "{}: {accepted:?} {refused:?}", client.operation.id);
    }
}
