//! What is in the repository is what the contract says.

use anyhow::Result;
use architecture::Violations;
use architecture::template::Template;
use architecture::workspace::root;
use openapi::{document, services, template};
use serde_json::{Value, json};

#[track_caller]
fn none(violations: &Violations) {
    assert!(violations.is_empty(), "\n- {}\n", violations.join("\n- "));
}

#[test]
fn what_is_made_from_the_contract_is_up_to_date() -> Result<()> {
    for (path, wanted) in openapi::files()? {
        let found = std::fs::read_to_string(root().join(&path)).unwrap_or_default();
        assert!(found == wanted, "{} is not up to date: run `cargo xtask contract`", path.display());
    }
    Ok(())
}

#[test]
fn each_operation_is_a_route() -> Result<()> {
    none(&template::routes_are_operations(&Template::of_repository()?, &services()));
    Ok(())
}

#[test]
fn each_route_checks_what_it_takes() -> Result<()> {
    none(&template::bodies_and_headers_are_checked(&Template::of_repository()?, &services()));
    Ok(())
}

#[test]
fn each_route_asks_who_calls() -> Result<()> {
    none(&template::callers_are_asked_who_they_are(&Template::of_repository()?, &services()));
    Ok(())
}

/// The keys that lead to a schema, of the parts of the document that hold any.
fn schemas(document: &Value) -> Vec<Value> {
    let mut found: Vec<Value> =
        document["components"]["schemas"].as_object().into_iter().flatten().map(|it| it.1.clone()).collect();
    for item in document["paths"].as_object().into_iter().flatten().map(|it| it.1) {
        for operation in item.as_object().into_iter().flatten().map(|it| it.1) {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            found.extend(
                parameters.map(|parameter| parameter["schema"].clone()).filter(|schema| !schema.is_null()),
            );
        }
    }
    found
}

#[test]
fn the_schemas_are_schemas() -> Result<()> {
    let document = document(&services())?;
    for mut schema in schemas(&document) {
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("components".into(), document["components"].clone());
        }
        assert!(jsonschema::draft202012::meta::is_valid(&schema), "{schema:#}");
        jsonschema::draft202012::new(&schema)?;
    }
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        if name.starts_with("Put") || name.starts_with("Place") {
            let model = openapi::model(schema, &document)?;
            assert!(jsonschema::draft4::meta::is_valid(&model), "{model:#}");
            jsonschema::draft4::new(&model)?;
        }
    }
    Ok(())
}

/// What the gateway answers itself, with its variables filled in, is a problem as the contract has it, of a status and
/// a kind that operations say they may answer with.
#[test]
fn the_gateways_answers_are_problems() -> Result<()> {
    let document = document(&services())?;
    let mut schema = document["components"]["schemas"]["Problem"].clone();
    schema["components"] = document["components"].clone();
    let problem = jsonschema::draft202012::new(&schema)?;
    let template = Template::of_repository()?;
    let gateways = template.all("AWS::Serverless::Api");
    let responses =
        gateways["Gateway"].property("/GatewayResponses").as_object().cloned().unwrap_or_default();
    assert!(responses.contains_key("DEFAULT_4XX") && responses.contains_key("DEFAULT_5XX"));
    for (name, response) in responses {
        let text = response["ResponseTemplates"]["application/json"].as_str().unwrap_or_default();
        let filled =
            text.replace("$context.error.messageString", " \"Missing\"").replace("$context.requestId", "r-1");
        assert!(!filled.contains('$'), "{name}: {filled}");
        let body: Value = serde_json::from_str(&filled)?;
        assert!(problem.is_valid(&body), "{name}: {body}");
        assert_eq!(body["status"], response["StatusCode"], "{name}");
        let kinds = |response: &Value| {
            response["content"]["application/problem+json"]["schema"]["properties"]["type"]["enum"].clone()
        };
        let told =
            document["components"]["responses"].as_object().into_iter().flatten().any(|(_, response)| {
                let schema = &response["content"]["application/problem+json"]["schema"]["properties"];
                schema["status"]["const"] == body["status"]
                    && kinds(response).as_array().is_some_and(|kinds| kinds.contains(&body["type"]))
            });
        assert!(told, "{name}: no operation says that it may answer {body}");
        assert_eq!(
            response["ResponseParameters"]["Headers"]["X-Correlation-Id"],
            json!("context.requestId"),
            "{name}"
        );
    }
    Ok(())
}
