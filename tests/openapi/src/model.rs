//! The gateway's models, which it validates bodies against: the contract's schemas in JSON Schema draft 4, the only
//! version that API Gateway supports
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/models-mappings-models.html>).

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

/// Annotations: keywords that nothing is validated by, or (`format`) that draft 4 validates differently.
const DROPPED_KEYWORDS: &[&str] =
    &["$schema", "title", "description", "default", "examples", "format", "unevaluatedProperties"];

/// Converts a schema of the contract to a model of the gateway. The model accepts everything that the contract accepts.
/// Where draft 4, or the OpenAPI 3.0 that SAM writes, cannot express a rule, it accepts more, and the function rejects
/// it.
///
/// # Errors
/// If the schema contains a dangling or a recursive reference, or a keyword that is not supported here.
pub fn model(schema: &Value, document: &Value) -> Result<Value> {
    convert(schema, document, 0)
}

fn convert(schema: &Value, document: &Value, depth: usize) -> Result<Value> {
    anyhow::ensure!(depth < 20, "a schema is recursive: the gateway's models cannot be");
    let next = |schema: &Value| convert(schema, document, depth + 1);
    let Value::Object(fields) = schema else { return Ok(schema.clone()) };
    let mut converted = Map::new();
    if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
        let target = reference.strip_prefix('#').and_then(|path| document.pointer(path));
        if let Value::Object(target) = next(target.with_context(|| format!("{reference} does not exist"))?)? {
            converted = target;
        }
    }
    for (keyword, value) in fields {
        match (keyword.as_str(), value) {
            ("$ref", _) => {}
            (dropped, _) if DROPPED_KEYWORDS.contains(&dropped) => {}
            ("const", value) => {
                converted.insert("enum".to_owned(), json!([value]));
            }
            ("exclusiveMinimum" | "exclusiveMaximum", bound) => {
                converted.insert(keyword.to_lowercase().replace("exclusive", ""), bound.clone());
                converted.insert(keyword.clone(), json!(true));
            }
            ("properties" | "patternProperties", Value::Object(properties)) => {
                let properties: Result<Map<String, Value>> =
                    properties.iter().map(|(name, schema)| Ok((name.clone(), next(schema)?))).collect();
                converted.insert(keyword.clone(), properties?.into());
            }
            ("anyOf", Value::Array(schemas)) => match nullable(schemas) {
                // OpenAPI 3.0, which SAM writes, has no null type. Without `type`, null passes the other keywords.
                Some(schema) => {
                    let mut schema = next(schema)?;
                    if let Some(fields) = schema.as_object_mut() {
                        fields.remove("type");
                        converted.append(fields);
                    }
                }
                None => {
                    converted.insert(keyword.clone(), schemas.iter().map(next).collect::<Result<_>>()?);
                }
            },
            ("type", Value::Array(types)) => {
                if let [one] = types.as_slice() {
                    converted.insert(keyword.clone(), one.clone());
                }
            }
            ("allOf" | "oneOf", Value::Array(schemas)) => {
                converted.insert(keyword.clone(), schemas.iter().map(next).collect::<Result<_>>()?);
            }
            ("items" | "additionalProperties" | "not", schema) => {
                converted.insert(keyword.clone(), next(schema)?);
            }
            (
                "type" | "enum" | "required" | "minimum" | "maximum" | "multipleOf" | "minLength"
                | "maxLength" | "pattern" | "minItems" | "maxItems" | "uniqueItems" | "minProperties"
                | "maxProperties",
                value,
            ) => {
                converted.insert(keyword.clone(), value.clone());
            }
            (unknown, _) => {
                bail!(
                    "the gateway's models have no keyword {unknown}: add its conversion to tests/openapi/src/model.rs"
                )
            }
        }
    }
    Ok(converted.into())
}

/// The other schema, if one of the two alternatives is null.
fn nullable(schemas: &[Value]) -> Option<&Value> {
    let null = json!({ "type": "null" });
    match schemas {
        [schema, other] | [other, schema] if *other == null => Some(schema),
        _ => None,
    }
}
