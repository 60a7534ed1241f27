//! The generated files in the repository are up to date, and their schemas are valid.

use anyhow::Result;
use architecture::workspace::root;
use openapi::{document, services};
use serde_json::Value;

#[test]
fn generated_files_are_up_to_date() -> Result<()> {
    for (path, expected) in openapi::files()? {
        let found = std::fs::read_to_string(root().join(&path)).unwrap_or_default();
        assert!(found == expected, "{} is out of date: run `cargo xtask contract`", path.display());
    }
    Ok(())
}

/// The schemas of the document's components and parameters.
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
fn all_schemas_are_valid() -> Result<()> {
    let document = document(&services())?;
    for mut schema in schemas(&document) {
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("components".into(), document["components"].clone());
        }
        assert!(jsonschema::draft202012::meta::is_valid(&schema), "{schema:#}");
        jsonschema::draft202012::new(&schema)?;
    }
    Ok(())
}
