//! The event catalogue, made from the types: a JSON Schema per event, and a page that a person reads.
//!
//! `cargo xtask catalogue` writes it; a test fails when it is not what the types and the template say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use domain::{Fact, ProductFact};
use heck::ToKebabCase;
use serde_json::{Map, Value, json};

use crate::events::is_for_others;
use crate::template::{Template, list};

/// The files of the catalogue, by their path in the repository.
///
/// # Errors
/// When the domain's schema is not built as this code expects.
pub fn files(template: &Template) -> Result<BTreeMap<PathBuf, String>> {
    let mut files = BTreeMap::new();
    let mut page = String::from(HEAD);
    let uuid = json!({ "type": "string", "format": "uuid" });
    add(template, &schemars::schema_for!(Fact).to_value(), &uuid, &mut page, &mut files)?;
    let sku = schemars::schema_for!(domain::Sku).to_value();
    let sku = json!({ "type": "string", "pattern": sku["pattern"], "maxLength": sku["maxLength"] });
    add(template, &schemars::schema_for!(ProductFact).to_value(), &sku, &mut page, &mut files)?;
    files.insert(PathBuf::from("docs/EVENTS.md"), page);
    Ok(files)
}

/// The events of one kind of thing, whose names are as `subject` says.
fn add(
    template: &Template,
    all: &Value,
    subject: &Value,
    page: &mut String,
    files: &mut BTreeMap<PathBuf, String>,
) -> Result<()> {
    let definitions = all["$defs"].as_object().context("the schema has no definitions")?;
    let listeners = listeners(template);
    for variant in list(&all["oneOf"]) {
        let name = variant["properties"]["type"]["const"].as_str().context("an event without a type")?;
        let schema = schema(name, subject, variant, definitions);
        let path = format!("schemas/{name}.v1.json");
        let none = BTreeSet::new();
        let mut heard: Vec<String> =
            listeners.get(name).unwrap_or(&none).iter().map(|f| format!("`{f}`")).collect();
        if is_for_others(name) {
            heard.push("whoever subscribes".to_owned());
        }
        writeln!(
            page,
            "\n## `{name}`\n\n{}\n\nHeard by: {}. Schema: [`{path}`]({path}).\n\n| `data` | |\n|---|---|",
            words(&variant["description"]),
            heard.join(", ")
        )?;
        let data = definition(&variant["properties"]["data"], definitions);
        for (field, about) in data["properties"].as_object().into_iter().flatten() {
            let described = Some(&about["description"]).filter(|text| text.is_string());
            let text = described.unwrap_or_else(|| &definition(about, definitions)["description"]);
            writeln!(page, "| `{field}` | {} |", words(text))?;
        }
        files.insert(PathBuf::from("docs").join(path), format!("{schema:#}\n"));
    }
    Ok(())
}

const HEAD: &str = "# Events

Made from the types in `shared/domain/src/{event,product}.rs` and the rules in `template.yaml` by `cargo xtask catalogue`.

An event is a [CloudEvent 1.0](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md) as JSON, carried
as the `detail` of an EventBridge entry whose `detail-type` is its `type` and whose `source` is its `source`. A rule matches both:
an event counts only from the service that knows it first-hand. Another order service publishes `order.created` under a
source of its own, which the parameter `OrderSources` names.

| attribute | is |
|---|---|
| `id` | the same for the same fact, whoever publishes it and however often (UUID version 5 over subject and type) |
| `source` | the service that knows it first-hand |
| `subject` | the order, or the product |
| `time` | when it became so (RFC 3339, UTC) |
| `dataschema` | type and major version; a change that breaks a consumer is a new version |
| `correlationid` | the request that started it all |
| `causationid` | the event that led to this one |
| `traceparent` | W3C Trace Context, as it came |
";

/// The description as one line of a table.
fn words(description: &Value) -> String {
    description.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What `schema` refers to, or itself.
fn definition<'a>(schema: &'a Value, definitions: &'a Map<String, Value>) -> &'a Value {
    let name = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/"));
    name.and_then(|name| definitions.get(name)).unwrap_or(schema)
}

/// Which functions hear which event, by the template's rules.
fn listeners(template: &Template) -> BTreeMap<String, BTreeSet<String>> {
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

/// The schema of a whole event, with the definitions that it needs and no others.
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
        "description": words(&variant["description"]),
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
