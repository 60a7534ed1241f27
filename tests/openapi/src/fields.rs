//! The contract in the form of the reference: operations by service, and schemas as lists of fields.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::problems::{GENERAL, PREFIX};

/// An operation as the reference describes it.
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) summary: String,
    pub(crate) detail: String,
    /// Who may call it, and with which credentials.
    pub(crate) access: String,
    pub(crate) parameters: Vec<Field>,
    pub(crate) body: Vec<Field>,
    /// The responses other than problems.
    pub(crate) responses: Vec<Response>,
    /// The status and the name of each problem.
    pub(crate) problems: Vec<(String, String)>,
}

/// A service with its operations.
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) entries: Vec<Entry>,
}

/// A parameter, or a field of a body by its path, such as `lines[].sku`.
pub(crate) struct Field {
    pub(crate) name: String,
    /// The location of a parameter (`path`, `query`, `header`); empty for a field.
    pub(crate) location: String,
    /// Its type and bounds, in words.
    pub(crate) kind: String,
    pub(crate) required: bool,
    pub(crate) description: String,
}

/// A response other than a problem.
pub(crate) struct Response {
    pub(crate) status: String,
    pub(crate) description: String,
    pub(crate) headers: Vec<String>,
    /// The schema name of its body; empty if it has none.
    pub(crate) body: String,
    pub(crate) fields: Vec<Field>,
}

/// A problem type, and when it occurs.
pub(crate) struct ProblemKind {
    pub(crate) status: u64,
    pub(crate) name: String,
    pub(crate) description: String,
}

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The services with their operations, in the order of the document's tags.
pub(crate) fn sections(document: &Value) -> Vec<Section> {
    let tags = document["tags"].as_array().into_iter().flatten();
    tags.map(|tag| Section {
        name: text(&tag["name"]),
        description: text(&tag["description"]),
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
    // References are to parameters that every operation has. The introduction describes those.
    let own = parameters.filter(|it| it.get("$ref").is_none());
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    let (mut responses, mut problems) = (Vec::new(), Vec::new());
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let response = resolve(document, response);
        match response["content"].as_object().and_then(|content| content.iter().next()) {
            Some((media_type, content)) if media_type == "application/problem+json" => {
                problems.extend(problem_names(&content["schema"]).map(|name| (status.clone(), name)));
            }
            content => responses.push(Response {
                status: status.clone(),
                description: text(&response["description"]),
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
        access: access(&operation["security"]),
        parameters: own.map(|it| parameter(document, it)).collect(),
        body: fields(document, body),
        responses,
        problems,
    }
}

fn problem_names(schema: &Value) -> impl Iterator<Item = String> {
    let types = schema["properties"]["type"]["enum"].as_array().into_iter().flatten();
    types.map(|kind| text(kind).replacen(PREFIX, "", 1))
}

/// Every problem type that an operation may respond with.
pub(crate) fn problem_kinds(document: &Value) -> Vec<ProblemKind> {
    let mut kinds: BTreeMap<(u64, String), String> = GENERAL
        .iter()
        .map(|kind| ((kind.status.into(), kind.name.to_owned()), kind.description.to_owned()))
        .collect();
    for (.., operation) in operations(document) {
        for (status, response) in operation["responses"].as_object().into_iter().flatten() {
            let response = resolve(document, response);
            let schema = &response["content"]["application/problem+json"]["schema"];
            let all = text(&response["description"]);
            for name in problem_names(schema) {
                // One paragraph describes all problem types of a status, each preceded by its name.
                let description = all.split_once(&format!("`{name}`: ")).map_or("", |(_, rest)| rest);
                let description = problem_names(schema)
                    .fold(description, |it, next| it.split(&format!(" `{next}`: ")).next().unwrap_or(it));
                let known = kinds.entry((status.parse().unwrap_or_default(), name)).or_default();
                if known.is_empty() {
                    description.clone_into(known);
                }
            }
        }
    }
    kinds.into_iter().map(|((status, name), description)| ProblemKind { status, name, description }).collect()
}

fn access(security: &Value) -> String {
    let scope = |value: &Value| text(&value["token"][0]);
    match &security[0] {
        Value::Null => "public".to_owned(),
        one if one.get("signature").is_some() => {
            "requests of the shop's own functions, signed with AWS Signature Version 4".to_owned()
        }
        one if one.get("key").is_some() => format!("scope `{}` and an API key", scope(one)),
        one => format!("scope `{}`", scope(one)),
    }
}

fn parameter(document: &Value, parameter: &Value) -> Field {
    Field {
        name: text(&parameter["name"]),
        location: text(&parameter["in"]),
        kind: kind(document, &parameter["schema"]),
        required: parameter["required"] == true,
        description: text(&parameter["description"]),
    }
}

fn fields(document: &Value, schema: &Value) -> Vec<Field> {
    let mut found = Vec::new();
    collect_fields(document, schema, "", &mut found);
    found
}

fn collect_fields(document: &Value, schema: &Value, prefix: &str, found: &mut Vec<Field>) {
    let schema = non_null(document, schema);
    if let Some(items) = schema.get("items") {
        return collect_fields(document, items, &format!("{}[].", prefix.trim_end_matches('.')), found);
    }
    let required =
        |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|it| it == name));
    for (name, property) in properties(document, schema) {
        let inner = non_null(document, &property);
        let description = property.get("description").or_else(|| inner.get("description"));
        found.push(Field {
            name: format!("{prefix}{name}"),
            location: String::new(),
            kind: kind(document, &property),
            required: required(&name),
            description: description.map(text).unwrap_or_default(),
        });
        collect_fields(document, inner, &format!("{prefix}{name}."), found);
    }
}

/// The properties of an object, including those that only some of its variants have.
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

/// The type and bounds of a schema, in words.
fn kind(document: &Value, schema: &Value) -> String {
    let inner = non_null(document, schema);
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
        ("string", Some("date-time")) => "date-time (RFC 3339)".to_owned(),
        ("string", _) => match bound("minLength", "maxLength") {
            length if length.is_empty() => "string".to_owned(),
            length => format!("string,{length} characters"),
        },
        ("integer", _) => format!("integer{}", bound("minimum", "maximum")),
        ("array", _) => match bound("minItems", "maxItems") {
            length if length.is_empty() => "array".to_owned(),
            length => format!("array,{length} items"),
        },
        ("", _) => "object".to_owned(),
        (name, _) => name.to_owned(),
    };
    words + or_null
}

/// The target of a reference, or the schema itself if it is none.
fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema["$ref"].as_str().and_then(|it| document.pointer(it.strip_prefix('#')?));
    target.map_or(schema, |target| resolve(document, target))
}

/// The schema without the alternative null, if it has one.
fn non_null<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let schema = resolve(document, schema);
    let forms = schema["anyOf"].as_array().into_iter().flatten();
    let others: Vec<&Value> = forms.filter(|form| form["type"] != "null").collect();
    match others.as_slice() {
        [one] => resolve(document, one),
        _ => schema,
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}
