//! The API contract as an OpenAPI 3.1 document (<https://spec.openapis.org/oas/v3.1.1>).

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use heck::ToUpperCamelCase;
use partners::event::Payload;
use platform::http::route::{Parameter, ResponseDescription};
use platform::http::{Access, Operation, OperationDescription, Problem, Scope};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use crate::problems::{self, Kind, PREFIX};
use crate::services::Service;

const INTRODUCTION: &str = include_str!("../templates/about.md");
const SCHEMAS_PATH: &str = "/components/schemas";

/// Generates the OpenAPI document of `services`.
///
/// # Errors
/// If two operations have the same id or route, or two schemas the same name.
pub fn document(services: &[Service]) -> Result<Value> {
    let mut writer = Writer::new();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut ids = Vec::new();
    for service in services {
        for operation in service.operations() {
            ensure!(!ids.contains(&operation.id), "two operations have the id {}", operation.id);
            ids.push(operation.id);
            let method = operation.method.as_str().to_lowercase();
            let item = writer.operation(service.name, operation);
            let previous = paths.entry(operation.path).or_default().insert(method, item);
            ensure!(
                previous.is_none(),
                "two operations have the route {} {}",
                operation.method,
                operation.path
            );
        }
    }
    let webhooks = writer.webhooks();
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Serverless orders",
            "version": "1.0.0",
            "summary": "Order processing for an online shop.",
            "description": INTRODUCTION,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": ".", "description": "The stage v1 of the gateway, which also serves this document." }],
        "tags": services.iter().map(|it| json!({ "name": it.name, "description": it.description })).collect::<Vec<_>>(),
        "paths": paths,
        "webhooks": webhooks,
        "components": {
            "schemas": writer.schemas()?,
            "responses": writer.shared_responses,
            "headers": headers(),
            "parameters": {
                "CorrelationId": {
                    "name": "X-Correlation-Id",
                    "in": "header",
                    "description": "Identifies this request in the logs: up to 128 printable ASCII characters. A missing or \
                                    invalid one is replaced by a generated id.",
                    "schema": { "type": "string" },
                },
                "IfMatch": {
                    "name": "If-Match",
                    "in": "header",
                    "description": "Returns the resource only if this list contains its `ETag`; `*` matches any.",
                    "schema": { "type": "string" },
                },
            },
            "securitySchemes": security_schemes(),
        },
    });
    strip_doc_links(&mut document);
    Ok(document)
}

fn headers() -> Value {
    let text = json!({ "type": "string" });
    let header = |description: &str| json!({ "description": description, "schema": text });
    json!({
        "CorrelationId": {
            "description": "Identifies this request in the logs.",
            "required": true,
            "schema": text,
        },
        "RetryAfter": header("Seconds to wait before the next request (RFC 9110)."),
        "WwwAuthenticate": header("The required authentication (RFC 6750)."),
    })
}

fn security_schemes() -> Value {
    let client_scopes = Scope::ALL.iter().copied().filter(|scope| *scope != Scope::HealthCheck);
    let scopes: Vec<&str> = client_scopes.map(Scope::name).collect();
    json!({
        // Not `oauth2`: its token URL differs from stack to stack.
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
            "description": "The API key that was issued with the partner's client id. Its usage plan sets the partner's \
                            rate limit and quota.",
        },
        "signature": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "AWS Signature Version 4, by a principal that IAM allows to invoke this operation.",
            "x-amazon-apigateway-authtype": "awsSigv4",
        },
    })
}

/// Writes operations and collects the schemas and responses that they refer to. A type may have different schemas in
/// requests and in responses: a field that is optional in one may be required in the other.
struct Writer {
    request_schemas: SchemaGenerator,
    response_schemas: SchemaGenerator,
    shared_responses: BTreeMap<String, Value>,
}

impl Writer {
    fn new() -> Self {
        let settings = || SchemaSettings::draft2020_12().with(|it| it.definitions_path = SCHEMAS_PATH.into());
        Self {
            request_schemas: settings().for_deserialize().into_generator(),
            response_schemas: settings().for_serialize().into_generator(),
            shared_responses: BTreeMap::new(),
        }
    }

    fn schemas(&mut self) -> Result<Map<String, Value>> {
        let mut schemas = self.response_schemas.take_definitions(true);
        for (name, schema) in self.request_schemas.take_definitions(true) {
            if let Some(other) = schemas.get(&name) {
                ensure!(
                    *other == schema,
                    "two types, or two versions of one type, have the schema name {name}"
                );
            }
            schemas.insert(name, schema);
        }
        Ok(schemas)
    }

    /// The webhook requests that are sent to partners.
    fn webhooks(&mut self) -> Value {
        let header = |name: &str, description: &str| json!({ "name": name, "in": "header", "required": true, "description": description, "schema": { "type": "string" } });
        let schema = self.response_schemas.subschema_for::<Payload<'_>>();
        json!({
            "orderEvent": { "post": {
                "tags": ["partners"],
                "operationId": "orderEvent",
                "summary": "Receive an order event",
                "description": "Sent to the URL of your webhook, signed according to Standard Webhooks.",
                "parameters": [
                    header("webhook-id", "The id of the event: the same for each attempt to deliver it to this webhook."),
                    header("webhook-timestamp", "When this attempt was sent, in seconds since the Unix epoch."),
                    header("webhook-signature", "`v1,` followed by the base64-encoded HMAC-SHA256 of `id.timestamp.body`."),
                ],
                "requestBody": { "required": true, "content": { "application/json": { "schema": schema } } },
                "responses": {
                    "2XX": { "description": "The event was received." },
                    "410": { "description": "You want no more events: the webhook is disabled." },
                    "default": { "description": "The delivery failed and is retried later." },
                },
            } },
        })
    }

    fn operation(&mut self, tag: &str, operation: &Operation) -> Value {
        let description = operation.description();
        let mut parameters: Vec<Value> = description.parameters.iter().map(|it| self.parameter(it)).collect();
        if problems::returns_etag(&description)
            && !description.parameters.iter().any(|it| it.name == "If-Match")
        {
            parameters.push(json!({ "$ref": "#/components/parameters/IfMatch" }));
        }
        parameters.push(json!({ "$ref": "#/components/parameters/CorrelationId" }));
        let mut item = json!({
            "tags": [tag],
            "operationId": operation.id,
            "summary": description.summary,
            "parameters": parameters,
            "responses": self.responses(operation.access, &description),
            "security": security(operation.access),
        });
        if !description.detail.is_empty() {
            item["description"] = description.detail.into();
        }
        if let Some(body) = &description.body {
            let schema = (body.schema)(&mut self.request_schemas);
            item["requestBody"] =
                json!({ "required": true, "content": { "application/json": { "schema": schema } } });
        }
        item
    }

    fn parameter(&mut self, parameter: &Parameter) -> Value {
        json!({
            "name": parameter.name,
            "in": parameter.location.as_ref(),
            "required": parameter.required,
            "description": parameter.description,
            "schema": (parameter.schema)(&mut self.request_schemas),
        })
    }

    fn responses(&mut self, access: Access, description: &OperationDescription) -> Value {
        let mut responses: BTreeMap<String, Value> = BTreeMap::new();
        for described in &description.responses {
            let response = self.response(described);
            let known = responses.entry(described.status.to_string()).or_insert(Value::Null);
            // The same status with another media type: one response object with both.
            match (known["content"].as_object_mut(), response["content"].as_object()) {
                (Some(known), Some(also)) => known.extend(also.clone()),
                _ => *known = response,
            }
        }
        let common = problems::common(access, description);
        let mut kinds: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
        let specific = description.problems.iter();
        let specific =
            specific.map(|it| Kind { status: it.status, name: it.name, description: it.description });
        for kind in specific.clone().chain(common.iter().copied()) {
            let with_status = kinds.entry(kind.status).or_default();
            // An operation's own description of a problem takes precedence over the general one.
            if !with_status.iter().any(|known| known.name == kind.name) {
                with_status.push(kind);
            }
        }
        for (status, kinds) in kinds {
            let response = self.problem_response(status, &kinds);
            let is_common = kinds.iter().all(|kind| common.contains(kind));
            let response = if is_common {
                let name =
                    kinds.iter().map(|kind| kind.name).collect::<Vec<_>>().join("-or-").to_upper_camel_case();
                self.shared_responses.insert(name.clone(), response);
                json!({ "$ref": format!("#/components/responses/{name}") })
            } else {
                response
            };
            responses.insert(status.to_string(), response);
        }
        json!(responses)
    }

    fn response(&mut self, described: &ResponseDescription) -> Value {
        let mut headers = json!({ "X-Correlation-Id": { "$ref": "#/components/headers/CorrelationId" } });
        for (name, description) in &described.headers {
            headers[*name] =
                json!({ "description": description, "required": true, "schema": { "type": "string" } });
        }
        let mut response = json!({ "description": described.description, "headers": headers });
        if let Some((media_type, schema)) = described.body {
            response["content"] = json!({ media_type: { "schema": schema(&mut self.response_schemas) } });
        }
        response
    }

    fn problem_response(&mut self, status: u16, kinds: &[Kind]) -> Value {
        let descriptions: Vec<String> =
            kinds.iter().map(|kind| format!("`{}`: {}", kind.name, kind.description)).collect();
        let types: Vec<String> = kinds.iter().map(|kind| format!("{PREFIX}{}", kind.name)).collect();
        let mut headers = json!({ "X-Correlation-Id": { "$ref": "#/components/headers/CorrelationId" } });
        if matches!(status, 429 | 503) {
            headers["Retry-After"] = json!({ "$ref": "#/components/headers/RetryAfter" });
        }
        if status == 401 {
            headers["WWW-Authenticate"] = json!({ "$ref": "#/components/headers/WwwAuthenticate" });
        }
        let problem = self.response_schemas.subschema_for::<Problem>();
        let schema = json!({
            "allOf": [problem],
            "properties": { "type": { "enum": types }, "status": { "const": status } },
        });
        json!({
            "description": descriptions.join(" "),
            "headers": headers,
            "content": { "application/problem+json": { "schema": schema } },
        })
    }
}

fn security(access: Access) -> Value {
    match access {
        Access::Public => json!([]),
        // The scope of the shop's own health check is internal: the contract does not mention it.
        Access::Scope(scope) | Access::ScopeOrHealthCheck(scope) => json!([{ "token": [scope.name()] }]),
        Access::Partner(scope) => json!([{ "token": [scope.name()], "key": [] }]),
        Access::Service => json!([{ "signature": [] }]),
    }
}

/// Turns links to Rust items in descriptions, which lead nowhere outside rustdoc, into plain code.
fn strip_doc_links(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "description" => {
                        *text = text.replace("[`", "`").replace("`]", "`");
                    }
                    value => strip_doc_links(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(strip_doc_links),
        _ => {}
    }
}
