//! The gateway's definition: an OpenAPI 3.0 document with API Gateway's extensions
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html>), made from the
//! routes. Intrinsic functions of CloudFormation are in their long form.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use heck::ToUpperCamelCase as _;
use platform::http::route::ParameterLocation;
use platform::http::{Access, Operation};
use serde_json::{Map, Value, json};

use crate::model::model;
use crate::refusals::responses;
use crate::services::{Api, Service};

/// The authorizer for access tokens, by its name in the definition.
pub const TOKEN: &str = "CognitoAuthorizer";
/// The scheme of signed requests (Signature Version 4).
pub const SIGNATURE: &str = "AWS_IAM";
/// The scheme of API keys.
pub const KEY: &str = "api_key";
/// The validator of requests that have a body.
pub const BODY: &str = "body-and-parameters";
/// The validator of requests that have none, and parameters that are required.
pub const PARAMETERS: &str = "parameters";

/// What the template says of a function with an API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wiring {
    /// Whether browsers of other origins call it, and so ask first (CORS).
    pub cross_origin: bool,
    /// The condition under which a container answers in its place, and the parameter with the container's URL.
    pub container: Option<(String, String)>,
}

/// The definition for the routes of `services`. `wiring` has each function with an API, by its binary.
///
/// # Errors
/// When a function is in the routes or in `wiring` alone, or a body cannot be described to the gateway.
pub fn definition(
    services: &[Service],
    document: &Value,
    wiring: &BTreeMap<String, Wiring>,
) -> Result<Value> {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut models = BTreeMap::new();
    let apis = || services.iter().flat_map(|service| &service.apis);
    for name in wiring.keys() {
        anyhow::ensure!(
            apis().any(|api| api.function == name),
            "{name} has no routes: add its router to tests/openapi/src/services.rs"
        );
    }
    for api in apis() {
        let wired = wiring.get(api.function).with_context(|| {
            format!(
                "no part of the template has a function {} with an Api",
                api.function.to_upper_camel_case()
            )
        })?;
        for operation in &api.operations {
            if let Some(body) = operation.description().body {
                let schema = &document["components"]["schemas"][&body.name];
                models.insert(body.name, model(schema, document)?);
            }
            let method = operation.method.as_str().to_lowercase();
            let described = describe(operation, api, wired);
            paths.entry(operation.path).or_default().insert(method, described);
            if wired.cross_origin && is_for_browsers(operation.access) {
                let preflight = preflight(operation.path, api, wired);
                paths.entry(operation.path).or_default().insert("options".to_owned(), preflight);
            }
        }
    }
    Ok(json!({
        "openapi": "3.0.1",
        "info": { "title": { "Ref": "AWS::StackName" }, "version": "1.0" },
        "components": { "securitySchemes": schemes(), "schemas": models },
        "x-amazon-apigateway-request-validators": {
            BODY: { "validateRequestBody": true, "validateRequestParameters": true },
            PARAMETERS: { "validateRequestBody": false, "validateRequestParameters": true },
        },
        "x-amazon-apigateway-gateway-responses": responses(),
        "paths": paths,
    }))
}

fn schemes() -> Value {
    let header = |name: &str| json!({ "type": "apiKey", "name": name, "in": "header" });
    let mut token = header("Authorization");
    token["x-amazon-apigateway-authtype"] = "cognito_user_pools".into();
    token["x-amazon-apigateway-authorizer"] = json!({
        "type": "cognito_user_pools",
        "providerARNs": [{ "Fn::GetAtt": "UserPool.Arn" }],
    });
    let mut signature = header("Authorization");
    signature["x-amazon-apigateway-authtype"] = "awsSigv4".into();
    json!({ TOKEN: token, SIGNATURE: signature, KEY: header("x-api-key") })
}

/// Whether a page may call it. Partners and the shop's own functions are servers.
fn is_for_browsers(access: Access) -> bool {
    !matches!(access, Access::Service | Access::Partner(_))
}

/// What a route asks of its caller.
pub fn security(access: Access) -> Value {
    let scopes: Vec<&str> = access.scopes().into_iter().map(platform::http::Scope::name).collect();
    match access {
        Access::Public => json!([]),
        Access::Service => json!([{ SIGNATURE: [] }]),
        Access::Partner(_) => json!([{ TOKEN: scopes, KEY: [] }]),
        _ => json!([{ TOKEN: scopes }]),
    }
}

fn describe(operation: &Operation, api: &Api, wired: &Wiring) -> Value {
    let description = operation.description();
    let is_checked = |place| matches!(place, ParameterLocation::Path | ParameterLocation::Header);
    let parameters: Vec<Value> = description
        .parameters
        .iter()
        .filter(|parameter| parameter.required && is_checked(parameter.location))
        .map(|parameter| {
            let place = if parameter.location == ParameterLocation::Path { "path" } else { "header" };
            json!({ "name": parameter.name, "in": place, "required": true, "schema": { "type": "string" } })
        })
        .collect();
    let needs_header =
        description.parameters.iter().any(|it| it.required && it.location == ParameterLocation::Header);
    let mut described = json!({ "security": security(operation.access) });
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    if let Some(body) = &description.body {
        let schema = json!({ "$ref": format!("#/components/schemas/{}", body.name) });
        described["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": schema } } });
        described["x-amazon-apigateway-request-validator"] = BODY.into();
    } else if needs_header {
        described["x-amazon-apigateway-request-validator"] = PARAMETERS.into();
    }
    described["responses"] = json!({});
    described["x-amazon-apigateway-integration"] =
        integration(operation.path, operation.method.as_str(), api, wired);
    described
}

fn preflight(path: &str, api: &Api, wired: &Wiring) -> Value {
    let parameters: Vec<Value> = path_parameters(path)
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    let mut described = json!({ "security": [] });
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    described["responses"] = json!({});
    described["x-amazon-apigateway-integration"] = integration(path, "OPTIONS", api, wired);
    described
}

fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn integration(path: &str, method: &str, api: &Api, wired: &Wiring) -> Value {
    let id = api.function.to_upper_camel_case();
    let uri = format!(
        "arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}:lambda:path/2015-03-31/functions/${{{id}.Arn}}/invocations"
    );
    let lambda = json!({ "type": "aws_proxy", "httpMethod": "POST", "uri": { "Fn::Sub": uri } });
    let Some((condition, parameter)) = &wired.container else { return lambda };
    let mut container = json!({
        "type": "http_proxy",
        "httpMethod": method,
        "uri": { "Fn::Sub": format!("${{{parameter}}}{path}") },
    });
    let mapped: Map<String, Value> = path_parameters(path)
        .map(|name| {
            (format!("integration.request.path.{name}"), format!("method.request.path.{name}").into())
        })
        .collect();
    if !mapped.is_empty() {
        container["requestParameters"] = mapped.into();
    }
    json!({ "Fn::If": [condition, container, lambda] })
}
