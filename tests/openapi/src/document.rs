//! The contract as an OpenAPI 3.1 document (<https://spec.openapis.org/oas/v3.1.1>).

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use heck::ToUpperCamelCase;
use partners::event::Payload;
use platform::http::route::{Parameter, ParameterLocation, ResponseDescription};
use platform::http::{Access, Operation, OperationDescription, Problem, Scope};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use crate::problems::{self, Kind, PREFIX};
use crate::services::Service;

const ABOUT: &str = include_str!("../templates/about.md");
const SCHEMAS: &str = "/components/schemas";

/// The contract of `services`.
///
/// # Errors
/// When two operations have one id, or two types one name.
pub fn document(services: &[Service]) -> Result<Value> {
    let mut writer = Writer::new();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut ids = Vec::new();
    for service in services {
        for operation in service.operations() {
            ensure!(!ids.contains(&operation.id), "two operations are called {}", operation.id);
            ids.push(operation.id);
            let method = operation.method.as_str().to_lowercase();
            let written = writer.operation(service.name, operation);
            let before = paths.entry(operation.path).or_default().insert(method, written);
            ensure!(before.is_none(), "two operations are at {} {}", operation.method, operation.path);
        }
    }
    let webhooks = writer.webhooks();
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Serverless orders",
            "version": "1.0.0",
            "summary": "Order processing for a shop.",
            "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": ".", "description": "Where this document is: the stage v1 of the gateway." }],
        "tags": services.iter().map(|it| json!({ "name": it.name, "description": it.about })).collect::<Vec<_>>(),
        "paths": paths,
        "webhooks": webhooks,
        "components": {
            "schemas": writer.schemas()?,
            "responses": writer.responses,
            "headers": headers(),
            "parameters": {
                "CorrelationId": {
                    "name": "X-Correlation-Id",
                    "in": "header",
                    "description": "A name for this request in the logs, up to 128 printable characters: without one that \
                                    fits, it gets one.",
                    "schema": { "type": "string" },
                },
            },
            "securitySchemes": schemes(),
        },
    });
    tidy(&mut document);
    Ok(document)
}

fn headers() -> Value {
    let text = json!({ "type": "string" });
    let header = |about: &str| json!({ "description": about, "schema": text });
    json!({
        "CorrelationId": {
            "description": "Names this request in the logs.",
            "required": true,
            "schema": text,
        },
        "RetryAfter": header("Seconds to wait (RFC 9110)."),
        "WwwAuthenticate": header("What is missing (RFC 6750)."),
    })
}

fn schemes() -> Value {
    let of_clients = Scope::ALL.into_iter().filter(|scope| *scope != Scope::HealthCheck);
    let scopes: Vec<&str> = of_clients.map(Scope::name).collect();
    json!({
        // Not `oauth2`: its addresses differ from stack to stack.
        "token": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": format!("An access token (RFC 6750). Scopes: {}.", scopes.join(", ")),
        },
        "key": {
            "type": "apiKey",
            "in": "header",
            "name": "X-Api-Key",
            "description": "A partner's key: its usage plan sets their limits.",
        },
        "signature": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "AWS Signature Version 4, by whom the account's IAM lets call this.",
            "x-amazon-apigateway-authtype": "awsSigv4",
        },
    })
}

/// Writes operations, and gathers what they refer to. A type may look different in requests than in answers: a field
/// that may be left out in one may always be there in the other.
struct Writer {
    requests: SchemaGenerator,
    answers: SchemaGenerator,
    responses: BTreeMap<String, Value>,
}

impl Writer {
    fn new() -> Self {
        let settings = || SchemaSettings::draft2020_12().with(|it| it.definitions_path = SCHEMAS.into());
        Self {
            requests: settings().for_deserialize().into_generator(),
            answers: settings().for_serialize().into_generator(),
            responses: BTreeMap::new(),
        }
    }

    fn schemas(&mut self) -> Result<Map<String, Value>> {
        let mut schemas = self.answers.take_definitions(true);
        for (name, schema) in self.requests.take_definitions(true) {
            if let Some(other) = schemas.get(&name) {
                ensure!(*other == schema, "two types, or two forms of one, are called {name}");
            }
            schemas.insert(name, schema);
        }
        Ok(schemas)
    }

    /// What is sent to partners.
    fn webhooks(&mut self) -> Value {
        let header = |name: &str, about: &str| json!({ "name": name, "in": "header", "required": true, "description": about, "schema": { "type": "string" } });
        let schema = self.answers.subschema_for::<Payload<'_>>();
        json!({
            "orderEvent": { "post": {
                "tags": ["partners"],
                "operationId": "orderEvent",
                "summary": "An event of an order of yours",
                "description": "Sent to the URL that you subscribed with, signed as Standard Webhooks says.",
                "parameters": [
                    header("webhook-id", "The same each time this event is sent to this webhook."),
                    header("webhook-timestamp", "When it was sent: seconds since 1970."),
                    header("webhook-signature", "`v1,` and the HMAC-SHA256 of `id.timestamp.body`, in base64."),
                ],
                "requestBody": { "required": true, "content": { "application/json": { "schema": schema } } },
                "responses": {
                    "2XX": { "description": "You have it." },
                    "410": { "description": "You want no more of them: the webhook is disabled." },
                    "default": { "description": "It is sent again later." },
                },
            } },
        })
    }

    fn operation(&mut self, tag: &str, operation: &Operation) -> Value {
        let description = operation.description();
        let mut parameters: Vec<Value> = description.parameters.iter().map(|it| self.parameter(it)).collect();
        parameters.push(json!({ "$ref": "#/components/parameters/CorrelationId" }));
        let mut written = json!({
            "tags": [tag],
            "operationId": operation.id,
            "summary": description.summary,
            "parameters": parameters,
            "responses": self.responses(operation.access, &description),
            "security": security(operation.access),
        });
        if !description.detail.is_empty() {
            written["description"] = description.detail.into();
        }
        if let Some(body) = &description.body {
            let schema = (body.schema)(&mut self.requests);
            written["requestBody"] =
                json!({ "required": true, "content": { "application/json": { "schema": schema } } });
        }
        written
    }

    fn parameter(&mut self, parameter: &Parameter) -> Value {
        let place = match parameter.location {
            ParameterLocation::Path => "path",
            ParameterLocation::Query => "query",
            ParameterLocation::Header => "header",
        };
        json!({
            "name": parameter.name,
            "in": place,
            "required": parameter.required,
            "description": parameter.description,
            "schema": (parameter.schema)(&mut self.requests),
        })
    }

    fn responses(&mut self, access: Access, description: &OperationDescription) -> Value {
        let mut responses: BTreeMap<String, Value> = BTreeMap::new();
        for answer in &description.responses {
            let response = self.answer(answer);
            let known = responses.entry(answer.status.to_string()).or_insert(Value::Null);
            // The same status in another media type: one response with both.
            match (known["content"].as_object_mut(), response["content"].as_object()) {
                (Some(known), Some(also)) => known.extend(also.clone()),
                _ => *known = response,
            }
        }
        let common = problems::common(access, description);
        let mut kinds: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
        let own = description.problems.iter();
        let own = own.map(|it| Kind { status: it.status, name: it.name, about: it.description });
        for kind in own.clone().chain(common.iter().copied()) {
            let same = kinds.entry(kind.status).or_default();
            // What an operation says itself of a problem stands for what holds in general.
            if !same.iter().any(|known| known.name == kind.name) {
                same.push(kind);
            }
        }
        for (status, kinds) in kinds {
            let response = self.problem(status, &kinds);
            let is_common = kinds.iter().all(|kind| common.contains(kind));
            let response = if is_common {
                let name =
                    kinds.iter().map(|kind| kind.name).collect::<Vec<_>>().join("-or-").to_upper_camel_case();
                self.responses.insert(name.clone(), response);
                json!({ "$ref": format!("#/components/responses/{name}") })
            } else {
                response
            };
            responses.insert(status.to_string(), response);
        }
        json!(responses)
    }

    fn answer(&mut self, answer: &ResponseDescription) -> Value {
        let mut headers = json!({ "X-Correlation-Id": { "$ref": "#/components/headers/CorrelationId" } });
        for (name, about) in &answer.headers {
            headers[*name] =
                json!({ "description": about, "required": true, "schema": { "type": "string" } });
        }
        let mut response = json!({ "description": answer.description, "headers": headers });
        if let Some((media_type, schema)) = answer.body {
            response["content"] = json!({ media_type: { "schema": schema(&mut self.answers) } });
        }
        response
    }

    fn problem(&mut self, status: u16, kinds: &[Kind]) -> Value {
        let about: Vec<String> =
            kinds.iter().map(|kind| format!("`{}`: {}", kind.name, kind.about)).collect();
        let types: Vec<String> = kinds.iter().map(|kind| format!("{PREFIX}{}", kind.name)).collect();
        let mut headers = json!({ "X-Correlation-Id": { "$ref": "#/components/headers/CorrelationId" } });
        if matches!(status, 429 | 503) {
            headers["Retry-After"] = json!({ "$ref": "#/components/headers/RetryAfter" });
        }
        if status == 401 {
            headers["WWW-Authenticate"] = json!({ "$ref": "#/components/headers/WwwAuthenticate" });
        }
        let problem = self.answers.subschema_for::<Problem>();
        let schema = json!({
            "allOf": [problem],
            "properties": { "type": { "enum": types }, "status": { "const": status } },
        });
        json!({
            "description": about.join(" "),
            "headers": headers,
            "content": { "application/problem+json": { "schema": schema } },
        })
    }
}

fn security(access: Access) -> Value {
    match access {
        Access::Public => json!([]),
        // The scope of the shop's own health check is nobody else's business.
        Access::Scope(scope) | Access::ScopeOrHealthCheck(scope) => json!([{ "token": [scope.name()] }]),
        Access::Partner(scope) => json!([{ "token": [scope.name()], "key": [] }]),
        Access::Service => json!([{ "signature": [] }]),
    }
}

/// The names of Rust items in descriptions are no links here.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "description" => {
                        *text = text.replace("[`", "`").replace("`]", "`");
                    }
                    value => tidy(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}
