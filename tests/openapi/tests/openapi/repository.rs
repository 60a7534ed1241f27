//! What is in the repository is what the contract says.

use anyhow::Result;
use architecture::workspace::root;
use openapi::{document, services};
use serde_json::Value;

#[test]
fn what_is_made_from_the_contract_is_up_to_date() -> Result<()> {
    for (path, wanted) in openapi::files()? {
        let found = std::fs::read_to_string(root().join(&path)).unwrap_or_default();
        assert!(found == wanted, "{} is not up to date: run `cargo xtask contract`", path.display());
    }
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
