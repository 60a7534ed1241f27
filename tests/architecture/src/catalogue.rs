//! Generates the event catalogue from the types: a JSON Schema for each event, and `docs/EVENTS.md`. The state
//! machines, `docs/STATES.md`, are written with it.
//!
//! `cargo xtask catalogue` writes it; a test fails if it does not match the types and the template.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use domain::{Fact, ProductFact};
use heck::ToKebabCase;
use serde_json::{Map, Value, json};

use crate::events::is_for_external_subscribers;
use crate::states;
use crate::template::{Template, list};

/// The files of the catalogue, by path in the repository.
///
/// # Errors
/// If the domain's schema does not have the structure that this code expects.
pub fn files(template: &Template) -> Result<BTreeMap<PathBuf, String>> {
    let mut files = BTreeMap::new();
    let mut page = String::from(HEAD);
    let uuid = json!({ "type": "string", "format": "uuid" });
    add(template, &schemars::schema_for!(Fact).to_value(), &uuid, &mut page, &mut files)?;
    let sku = schemars::schema_for!(domain::Sku).to_value();
    let sku = json!({ "type": "string", "pattern": sku["pattern"], "maxLength": sku["maxLength"] });
    add(template, &schemars::schema_for!(ProductFact).to_value(), &sku, &mut page, &mut files)?;
    files.insert(PathBuf::from("docs/EVENTS.md"), page);
    files.extend(states::files()?);
    Ok(files)
}

/// Adds the events of one enum. `subject` is the schema of their subjects.
fn add(
    template: &Template,
    all: &Value,
    subject: &Value,
    page: &mut String,
    files: &mut BTreeMap<PathBuf, String>,
) -> Result<()> {
    let definitions = all["$defs"].as_object().context("the schema has no definitions")?;
    let subscribers = subscribers(template);
    for variant in list(&all["oneOf"]) {
        let name = variant["properties"]["type"]["const"].as_str().context("an event without a type")?;
        let schema = schema(name, subject, variant, definitions);
        let path = format!("schemas/{name}.v1.json");
        let none = BTreeSet::new();
        let mut names: Vec<String> =
            subscribers.get(name).unwrap_or(&none).iter().map(|f| format!("`{f}`")).collect();
        if is_for_external_subscribers(name) {
            names.push("external subscribers".to_owned());
        }
        writeln!(
            page,
            "\n## `{name}`\n\n{}\n\nSubscribers: {}. Schema: [`{path}`]({path}).\n\n| `data` | description |\n|---|---|",
            one_line(&variant["description"]),
            names.join(", ")
        )?;
        let data = definition(&variant["properties"]["data"], definitions);
        for (field, schema) in data["properties"].as_object().into_iter().flatten() {
            let own = Some(&schema["description"]).filter(|text| text.is_string());
            let text = own.unwrap_or_else(|| &definition(schema, definitions)["description"]);
            writeln!(page, "| `{field}` | {} |", one_line(text))?;
        }
        files.insert(PathBuf::from("docs").join(path), format!("{schema:#}\n"));
    }
    Ok(())
}

const HEAD: &str = "# Events

Generated from the types in `shared/domain/src/{fact,product}.rs` and the rules in `template.yaml` by
`cargo xtask catalogue`.

An event is a [CloudEvent 1.0](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md) in JSON. It is the
`detail` of an EventBridge entry, with its `type` as the `detail-type` and its `source` as the `source`. Rules match both: an
event is accepted only from the service that owns it. Another order service can publish `order.created` with a source of its
own, which the parameter `OrderSources` lists.

| attribute | description |
|---|---|
| `id` | the same for the same fact, whoever publishes it and however often (UUID version 5 of subject and type) |
| `source` | the service that owns the event |
| `subject` | the id of the order, or the SKU of the product |
| `time` | when the event occurred (RFC 3339, UTC) |
| `dataschema` | type and major version; a breaking change is a new version |
| `correlationid` | the correlation id of the request that started the process |
| `causationid` | the id of the event that caused this one |
| `traceparent` | the W3C Trace Context, as received |
";

/// The description on one line, for a table.
fn one_line(description: &Value) -> String {
    description.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The definition that `schema` refers to, or `schema` itself.
fn definition<'a>(schema: &'a Value, definitions: &'a Map<String, Value>) -> &'a Value {
    let name = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/"));
    name.and_then(|name| definitions.get(name)).unwrap_or(schema)
}

/// The functions that subscribe to each event, according to the template's rules.
fn subscribers(template: &Template) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (rule, resource) in template.subscriptions() {
        let function = rule.strip_suffix("Rule").unwrap_or(rule).to_kebab_case();
        for event in list(&resource.property("/EventPattern")["detail-type"]).iter().filter_map(Value::as_str)
        {
            found.entry(event.to_owned()).or_default().insert(function.clone());
        }
    }
    found
}

/// The schema of a complete event, with only the definitions that it needs.
fn schema(name: &str, subject: &Value, variant: &Value, definitions: &Map<String, Value>) -> Value {
    let data = variant["properties"]["data"].clone();
    let mut needed = BTreeSet::new();
    collect_references(&data, definitions, &mut needed);
    let definitions: Map<String, Value> = definitions
        .iter()
        .filter(|(name, _)| needed.contains(*name))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    let uuid = json!({ "type": "string", "format": "uuid" });
    let text = json!({ "type": "string" });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("urn:serverless-orders:event:{name}:1"),
        "title": name,
        "description": one_line(&variant["description"]),
        "type": "object",
        "required": ["specversion", "id", "source", "subject", "time", "type", "correlationid", "data"],
        "properties": {
            "specversion": { "const": "1.0" },
            "id": uuid,
            "source": text,
            "subject": subject,
            "time": { "type": "string", "format": "date-time" },
            "type": { "const": name },
            "datacontenttype": { "const": "application/json" },
            "dataschema": { "const": format!("urn:serverless-orders:event:{name}:1") },
            "correlationid": text,
            "causationid": uuid,
            "traceparent": text,
            "data": data,
        },
        "$defs": definitions,
    })
}

fn collect_references(schema: &Value, definitions: &Map<String, Value>, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(name) =
                fields.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix("#/$defs/"))
                && found.insert(name.to_owned())
                && let Some(definition) = definitions.get(name)
            {
                collect_references(definition, definitions, found);
            }
            fields.values().for_each(|value| collect_references(value, definitions, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, definitions, found)),
        _ => {}
    }
}
