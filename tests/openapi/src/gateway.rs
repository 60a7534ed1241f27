//! The gateway's definition: an OpenAPI 3.0 document with API Gateway's extensions
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html>), generated from
//! the routes. Intrinsic functions of CloudFormation are in their long form.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use heck::ToUpperCamelCase as _;
use http::Method;
use platform::http::route::ParameterLocation;
use platform::http::{Access, Operation};
use serde_json::{Map, Value, json};

use crate::gateway_responses::responses;
use crate::services::{Api, Service};

/// The name of the security scheme of access tokens: a Cognito authorizer.
pub const TOKEN: &str = "CognitoAuthorizer";
/// The name of the security scheme of signed requests (Signature Version 4).
pub const SIGNATURE: &str = "AWS_IAM";
/// The name of the security scheme of API keys.
pub const KEY: &str = "api_key";
/// The name of the request validator for operations without a body, but with required headers.
pub const PARAMETERS: &str = "parameters";

/// The template's settings of a function that serves routes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wiring {
    /// Whether browsers call it from other origins, and so send preflight requests (CORS).
    pub cross_origin: bool,
    /// The condition under which a container serves the routes instead, and the parameter with the container's URL.
    pub container: Option<(String, String)>,
}

/// Generates the definition for the routes of `services`. `wiring` contains each function that serves routes, by the
/// name of its binary.
///
/// Each path that supports GET also supports HEAD (RFC 9110 §9.1). The definition has no models: the functions validate
/// bodies, since the gateway's response to an invalid one names no field (docs/decisions/0012-contract.md).
///
/// # Errors
/// If a function is only in `services` or only in `wiring`.
pub fn definition(services: &[Service], wiring: &BTreeMap<String, Wiring>) -> Result<Value> {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
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
                "no service's template.yaml has a function {} with the trigger Api",
                api.function.to_upper_camel_case()
            )
        })?;
        for operation in &api.operations {
            let head = (operation.method == Method::GET).then_some(Method::HEAD);
            for method in std::iter::once(operation.method.clone()).chain(head) {
                let item = describe(operation, &method, api, wired);
                paths.entry(operation.path).or_default().insert(method.as_str().to_lowercase(), item);
            }
            if wired.cross_origin && is_for_browsers(operation.access) {
                let preflight = preflight(operation.path, api, wired);
                paths.entry(operation.path).or_default().insert("options".to_owned(), preflight);
            }
        }
    }
    Ok(json!({
        "openapi": "3.0.1",
        "info": { "title": { "Ref": "AWS::StackName" }, "version": "1.0" },
        "components": { "securitySchemes": schemes() },
        "x-amazon-apigateway-request-validators": {
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

/// Whether web pages may call the operation. Partners and the shop's own functions are servers.
fn is_for_browsers(access: Access) -> bool {
    !matches!(access, Access::Service | Access::Partner(_))
}

/// The security requirements of a route.
pub fn security(access: Access) -> Value {
    let scopes: Vec<&str> = access.scopes().into_iter().map(platform::http::Scope::name).collect();
    match access {
        Access::Public => json!([]),
        Access::Service => json!([{ SIGNATURE: [] }]),
        Access::Partner(_) => json!([{ TOKEN: scopes, KEY: [] }]),
        _ => json!([{ TOKEN: scopes }]),
    }
}

fn describe(operation: &Operation, method: &Method, api: &Api, wired: &Wiring) -> Value {
    let description = operation.description();
    let is_checked = |location| matches!(location, ParameterLocation::Path | ParameterLocation::Header);
    let parameters: Vec<Value> = description
        .parameters
        .iter()
        .filter(|parameter| parameter.required && is_checked(parameter.location))
        .map(|parameter| {
            let location = parameter.location.as_ref();
            json!({ "name": parameter.name, "in": location, "required": true, "schema": { "type": "string" } })
        })
        .collect();
    let needs_header =
        description.parameters.iter().any(|it| it.required && it.location == ParameterLocation::Header);
    let mut item = json!({ "security": security(operation.access) });
    if !parameters.is_empty() {
        item["parameters"] = parameters.into();
    }
    // The problem of a function also lists the errors of the body.
    if needs_header && description.body.is_none() {
        item["x-amazon-apigateway-request-validator"] = PARAMETERS.into();
    }
    item["responses"] = json!({});
    item["x-amazon-apigateway-integration"] = integration(operation.path, method.as_str(), api, wired);
    item
}

fn preflight(path: &str, api: &Api, wired: &Wiring) -> Value {
    let parameters: Vec<Value> = path_parameters(path)
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    let mut item = json!({ "security": [] });
    if !parameters.is_empty() {
        item["parameters"] = parameters.into();
    }
    item["responses"] = json!({});
    item["x-amazon-apigateway-integration"] = integration(path, "OPTIONS", api, wired);
    item
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
