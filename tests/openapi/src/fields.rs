//! The contract as people read it: operations in order, schemas as lists of fields.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::problems::{GENERAL, PREFIX};

/// The words for an operation.
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) summary: String,
    pub(crate) detail: String,
    pub(crate) who: String,
    pub(crate) parameters: Vec<Field>,
    pub(crate) body: Vec<Field>,
    pub(crate) answers: Vec<Answer>,
    /// Status and name of each problem.
    pub(crate) problems: Vec<(String, String)>,
}

/// The operations of a service.
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) entries: Vec<Entry>,
}

/// A parameter, or a field of a body: `lines[].sku`.
pub(crate) struct Field {
    pub(crate) name: String,
    /// Where a parameter stands; empty for a field.
    pub(crate) place: String,
    pub(crate) kind: String,
    pub(crate) required: bool,
    pub(crate) about: String,
}

/// An answer that is no problem.
pub(crate) struct Answer {
    pub(crate) status: String,
    pub(crate) about: String,
    pub(crate) headers: Vec<String>,
    /// The name of the type of its body.
    pub(crate) body: String,
    pub(crate) fields: Vec<Field>,
}

/// A kind of problem, and when it is answered.
pub(crate) struct ProblemKind {
    pub(crate) status: u64,
    pub(crate) name: String,
    pub(crate) about: String,
}

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// All operations, by service.
pub(crate) fn sections(document: &Value) -> Vec<Section> {
    let tags = document["tags"].as_array().into_iter().flatten();
    tags.map(|tag| Section {
        name: text(&tag["name"]),
        about: text(&tag["description"]),
        entries: operations(document)
            .filter(|(.., it)| it["tags"][0] == tag["name"])
            .map(|(path, method, it)| entry(document, path, method, it))
            .collect(),
    })
    .collect()
}

fn operations(document: &Value) -> impl Iterator<Item = (&str, &'static str, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        METHODS.iter().filter_map(move |method| Some((path.as_str(), *method, item.get(*method)?)))
    })
}

fn entry(document: &Value, path: &str, method: &str, operation: &Value) -> Entry {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    // What every operation takes is said once, in the prose.
    let own = parameters.filter(|it| it.get("$ref").is_none());
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    let (mut answers, mut problems) = (Vec::new(), Vec::new());
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let response = resolve(document, response);
        match response["content"].as_object().and_then(|content| content.iter().next()) {
            Some((media_type, content)) if media_type == "application/problem+json" => {
                problems.extend(types(&content["schema"]).map(|name| (status.clone(), name)));
            }
            content => answers.push(Answer {
                status: status.clone(),
                about: text(&response["description"]),
                headers: response["headers"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, _)| name.clone())
                    .filter(|name| name != "X-Correlation-Id")
                    .collect(),
                body: content
                    .and_then(|(_, content)| content["schema"]["$ref"].as_str())
                    .and_then(|it| it.rsplit('/').next())
                    .unwrap_or_default()
                    .to_owned(),
                fields: content.map(|(_, content)| fields(document, &content["schema"])).unwrap_or_default(),
            }),
        }
    }
    Entry {
        id: text(&operation["operationId"]),
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: text(&operation["summary"]),
        detail: text(&operation["description"]),
        who: who(&operation["security"]),
        parameters: own.map(|it| parameter(document, it)).collect(),
        body: fields(document, body),
        answers,
        problems,
    }
}

fn types(schema: &Value) -> impl Iterator<Item = String> {
    let types = schema["properties"]["type"]["enum"].as_array().into_iter().flatten();
    types.map(|kind| text(kind).replacen(PREFIX, "", 1))
}

/// Every kind of problem that an operation may answer with.
pub(crate) fn problem_kinds(document: &Value) -> Vec<ProblemKind> {
    let mut kinds: BTreeMap<(u64, String), String> = GENERAL
        .iter()
        .map(|kind| ((kind.status.into(), kind.name.to_owned()), kind.about.to_owned()))
        .collect();
    for (.., operation) in operations(document) {
        for (status, response) in operation["responses"].as_object().into_iter().flatten() {
            let response = resolve(document, response);
            let schema = &response["content"]["application/problem+json"]["schema"];
            let description = text(&response["description"]);
            for name in types(schema) {
                // One paragraph tells of all kinds of a status, each with its name in front.
                let about = description.split_once(&format!("`{name}`: ")).map_or("", |(_, rest)| rest);
                let about = types(schema)
                    .fold(about, |it, next| it.split(&format!(" `{next}`: ")).next().unwrap_or(it));
                let known = kinds.entry((status.parse().unwrap_or_default(), name)).or_default();
                if known.is_empty() {
                    about.clone_into(known);
                }
            }
        }
    }
    kinds.into_iter().map(|((status, name), about)| ProblemKind { status, name, about }).collect()
}

fn who(security: &Value) -> String {
    let scope = |value: &Value| text(&value["token"][0]);
    match &security[0] {
        Value::Null => "everybody".to_owned(),
        one if one.get("signature").is_some() => "signed requests of the shop's own functions".to_owned(),
        one if one.get("key").is_some() => format!("scope `{}`, and an API key", scope(one)),
        one => format!("scope `{}`", scope(one)),
    }
}

fn parameter(document: &Value, parameter: &Value) -> Field {
    Field {
        name: text(&parameter["name"]),
        place: text(&parameter["in"]),
        kind: kind(document, &parameter["schema"]),
        required: parameter["required"] == true,
        about: text(&parameter["description"]),
    }
}

fn fields(document: &Value, schema: &Value) -> Vec<Field> {
    let mut found = Vec::new();
    gather(document, schema, "", &mut found);
    found
}

fn gather(document: &Value, schema: &Value, prefix: &str, found: &mut Vec<Field>) {
    let schema = present(document, schema);
    if let Some(items) = schema.get("items") {
        return gather(document, items, &format!("{}[].", prefix.trim_end_matches('.')), found);
    }
    let required =
        |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|it| it == name));
    for (name, about) in properties(document, schema) {
        let inner = present(document, &about);
        let described = about.get("description").or_else(|| inner.get("description"));
        found.push(Field {
            name: format!("{prefix}{name}"),
            place: String::new(),
            kind: kind(document, &about),
            required: required(&name),
            about: described.map(text).unwrap_or_default(),
        });
        gather(document, inner, &format!("{prefix}{name}."), found);
    }
}

/// The properties of an object, those that only some of its forms have among them.
fn properties(document: &Value, schema: &Value) -> Map<String, Value> {
    let mut found = schema["properties"].as_object().cloned().unwrap_or_default();
    for form in
        ["oneOf", "anyOf"].iter().flat_map(|keyword| schema[*keyword].as_array().into_iter().flatten())
    {
        for (name, property) in properties(document, resolve(document, form)) {
            found.entry(name).or_insert(property);
        }
    }
    found
}

/// What a type allows, in a few words.
fn kind(document: &Value, schema: &Value) -> String {
    let inner = present(document, schema);
    let or_null = if std::ptr::eq(resolve(document, schema), inner) && !inner["type"].is_array() {
        ""
    } else {
        ", or null"
    };
    let name = match &inner["type"] {
        Value::Array(types) => text(&types[0]),
        one => text(one),
    };
    let variants: Vec<String> = match &inner["enum"] {
        Value::Array(values) => values.iter().map(text).collect(),
        _ => inner["oneOf"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|it| it["const"].as_str())
            .map(str::to_owned)
            .collect(),
    };
    let bound = |low: &str, high: &str| match (&inner[low], &inner[high]) {
        (Value::Null, Value::Null) => String::new(),
        (low, Value::Null) => format!(" from {low}"),
        (Value::Null, high) => format!(" up to {high}"),
        (low, high) => format!(" {low}–{high}"),
    };
    let words = match (name.as_str(), inner["format"].as_str()) {
        _ if variants.len() > 20 => format!(
            "one of {} codes such as {}",
            variants.len(),
            variants.iter().find(|it| *it == "EUR").unwrap_or(&variants[0])
        ),
        _ if !variants.is_empty() => {
            variants.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ")
        }
        ("string", Some("uuid")) => "UUID".to_owned(),
        ("string", Some("date-time")) => "time (RFC 3339)".to_owned(),
        ("string", _) => match bound("minLength", "maxLength") {
            length if length.is_empty() => "text".to_owned(),
            length => format!("text,{length} characters"),
        },
        ("integer", _) => format!("integer{}", bound("minimum", "maximum")),
        ("array", _) => format!("list{}", bound("minItems", "maxItems")),
        ("", _) => "object".to_owned(),
        (name, _) => name.to_owned(),
    };
    words + or_null
}

/// What a reference points to, or the schema itself.
fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema["$ref"].as_str().and_then(|it| document.pointer(it.strip_prefix('#')?));
    target.map_or(schema, |target| resolve(document, target))
}

/// The schema of what may also be null.
fn present<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let schema = resolve(document, schema);
    let forms = schema["anyOf"].as_array().into_iter().flatten();
    let present: Vec<&Value> = forms.filter(|form| form["type"] != "null").collect();
    match present.as_slice() {
        [one] => resolve(document, one),
        _ => schema,
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}
