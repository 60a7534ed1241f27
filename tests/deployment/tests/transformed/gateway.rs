//! Tests of the gateway's definition: every route is exactly as the contract describes it.

use std::collections::BTreeMap;
use std::time::Duration;

use deployment::{Deployed, production, transform};
use openapi::gateway::{KEY, SIGNATURE, TOKEN};
use openapi::{document, services};
use platform::http::route::ParameterLocation;
use platform::http::{Access, Operation};
use serde_json::{Value, json};

use crate::cases;

fn body(deployed: &Deployed) -> &Value {
    let mut gateways = deployed.all("AWS::ApiGateway::RestApi");
    let (_, gateway) = gateways.next().unwrap();
    assert!(gateways.next().is_none(), "one gateway");
    &gateway["Body"]
}

fn operations() -> Vec<(&'static str, Operation)> {
    let apis = services().into_iter().flat_map(|service| service.apis);
    apis.flat_map(|api| api.operations.into_iter().map(move |it| (api.function, it))).collect()
}

#[test]
fn it_is_valid_openapi_3_without_dangling_references() {
    for (name, deployed) in cases() {
        let body = body(deployed);
        serde_json::from_value::<openapiv3::OpenAPI>(body.clone())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut references = Vec::new();
        collect_references(body, &mut references);
        for reference in references {
            let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{name}: {reference}"));
            assert!(body.pointer(pointer).is_some(), "{name}: {reference} does not exist");
        }
    }
}

fn collect_references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, found)),
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| collect_references(field, found));
        }
        _ => {}
    }
}

/// The expected properties of a route, derived from the contract without the code that generated the definition.
fn expected(operation: &Operation) -> Value {
    let description = operation.description();
    let security = match operation.access {
        Access::Public => json!([]),
        Access::Service => json!([{ SIGNATURE: [] }]),
        access => {
            let mut scopes: Vec<&str> = access.scopes().iter().map(|scope| scope.name()).collect();
            scopes.sort_unstable();
            match access {
                Access::Partner(_) => json!([{ TOKEN: scopes, KEY: [] }]),
                _ => json!([{ TOKEN: scopes }]),
            }
        }
    };
    let mut headers: Vec<&str> = description
        .parameters
        .iter()
        .filter(|it| it.required && it.location == ParameterLocation::Header)
        .map(|it| it.name)
        .collect();
    headers.sort_unstable();
    // A function that reads a body reports a missing header together with the errors of the body.
    let validates_headers = description.body.is_none() && !headers.is_empty();
    json!({ "security": security, "headers": headers, "validates": [false, validates_headers] })
}

/// The properties of a route in the definition.
fn actual(body: &Value, operation: &Value) -> Value {
    let mut security = operation["security"].clone();
    if let Some(scopes) = security.pointer_mut(&format!("/0/{TOKEN}")).and_then(Value::as_array_mut) {
        scopes.sort_by_key(|scope| scope.as_str().unwrap_or_default().to_owned());
    }
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let mut headers: Vec<&str> = parameters
        .filter(|it| it["in"] == "header" && it["required"] == true)
        .filter_map(|it| it["name"].as_str())
        .collect();
    headers.sort_unstable();
    let validator = operation["x-amazon-apigateway-request-validator"].as_str().unwrap_or_default();
    let validator = &body["x-amazon-apigateway-request-validators"][validator];
    let validates = |key: &str| validator[key] == true;
    json!({
        "security": security,
        "headers": headers,
        "validates": [validates("validateRequestBody"), validates("validateRequestParameters")],
    })
}

#[test]
fn each_route_matches_the_contract() {
    for (name, deployed) in cases() {
        let body = body(deployed);
        let mut left: Vec<(String, String)> = body["paths"]
            .as_object()
            .into_iter()
            .flatten()
            .flat_map(|(path, item)| {
                item.as_object().into_iter().flatten().map(move |(method, _)| (path.clone(), method.clone()))
            })
            .filter(|(_, method)| method != "options" && method != "head")
            .collect();
        for (_, operation) in operations() {
            let method = operation.method.as_str().to_lowercase();
            let route = &body["paths"][operation.path][&method];
            assert!(route.is_object(), "{name}: there is no route {method} {}", operation.path);
            assert_eq!(actual(body, route), expected(&operation), "{name}: {method} {}", operation.path);
            left.retain(|it| *it != (operation.path.to_owned(), method.clone()));
        }
        assert!(left.is_empty(), "{name}: the contract does not have {left:?}");
    }
}

#[test]
fn each_route_invokes_its_function_and_has_the_permission_to() {
    for (name, deployed) in cases() {
        let body = body(deployed);
        let mut invoked: Vec<String> = Vec::new();
        for (path, item) in body["paths"].as_object().into_iter().flatten() {
            for (method, route) in item.as_object().into_iter().flatten() {
                let integration = &route["x-amazon-apigateway-integration"];
                let function = operations()
                    .into_iter()
                    .find(|(_, operation)| {
                        let method = if method == "head" { "get" } else { method.as_str() };
                        operation.path == path
                            && (method == "options" || operation.method.as_str().eq_ignore_ascii_case(method))
                    })
                    .map(|(function, _)| function)
                    .unwrap();
                if name == "container" && function == "orders-api" {
                    assert_eq!(integration["type"], "http_proxy", "{method} {path}");
                    assert_eq!(
                        integration["uri"],
                        format!("https://orders.shop.test{path}"),
                        "{method} {path}"
                    );
                    assert_eq!(integration["httpMethod"], method.to_uppercase(), "{method} {path}");
                    for part in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
                        let mapped =
                            &integration["requestParameters"][format!("integration.request.path.{part}")];
                        assert_eq!(mapped, &json!(format!("method.request.path.{part}")), "{method} {path}");
                    }
                    continue;
                }
                let id: String =
                    function.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
                assert_eq!(integration["type"], "aws_proxy", "{name}: {method} {path}");
                assert_eq!(integration["httpMethod"], "POST", "{name}: {method} {path}");
                let uri = integration["uri"]["Fn::Sub"].as_str().unwrap_or_default();
                assert!(
                    uri.ends_with(&format!("functions/${{{id}.Arn}}/invocations")),
                    "{name}: {method} {path}: {uri}"
                );
                invoked.push(id);
            }
        }
        for id in invoked {
            let is_permitted = deployed.all("AWS::Lambda::Permission").any(|(_, permission)| {
                permission["FunctionName"] == json!({ "Ref": id })
                    && permission["Principal"] == "apigateway.amazonaws.com"
                    && permission["SourceArn"]["Fn::Sub"]
                        .as_str()
                        .is_some_and(|arn| arn.ends_with(":${Gateway}/v1/*"))
            });
            assert!(is_permitted, "{name}: the gateway has no permission to invoke {id}");
        }
    }
}

#[test]
fn routes_for_browsers_accept_preflight_requests() {
    let body = body(&cases()["production"]);
    for (_, operation) in operations() {
        let options = &body["paths"][operation.path]["options"];
        let is_for_servers = matches!(operation.access, Access::Service | Access::Partner(_));
        let has_no_cors = ["/webhooks/stripe", "/openapi.json", "/reference"].contains(&operation.path);
        assert_eq!(options.is_null(), is_for_servers || has_no_cors, "{}", operation.path);
        if options.is_object() {
            assert_eq!(
                options["security"],
                json!([]),
                "{}: a preflight request has no token",
                operation.path
            );
        }
    }
}

#[test]
fn the_security_schemes_are_those_of_the_gateway() {
    for (name, deployed) in cases() {
        let schemes = &body(deployed)["components"]["securitySchemes"];
        assert_eq!(schemes.as_object().map(|it| it.len()), Some(3), "{name}");
        assert_eq!(schemes[TOKEN]["x-amazon-apigateway-authorizer"]["type"], "cognito_user_pools", "{name}");
        let pools = &schemes[TOKEN]["x-amazon-apigateway-authorizer"]["providerARNs"];
        assert!(pools[0]["Fn::GetAtt"].to_string().contains("UserPool"), "{name}: {pools}");
        assert_eq!(schemes[SIGNATURE]["x-amazon-apigateway-authtype"], "awsSigv4", "{name}");
        assert_eq!(schemes[KEY]["name"], "x-api-key", "{name}");
    }
}

/// A body that the gateway rejected would get a response without the field: every body has to reach its function.
#[test]
fn no_body_is_validated() {
    for (name, deployed) in cases() {
        let body = body(deployed);
        assert!(body["components"]["schemas"].is_null(), "{name}");
        assert!(
            !body["x-amazon-apigateway-gateway-responses"]
                .as_object()
                .unwrap()
                .contains_key("BAD_REQUEST_BODY")
        );
        let validators = body["x-amazon-apigateway-request-validators"].as_object().unwrap();
        assert!(validators.values().all(|it| it["validateRequestBody"] == false), "{name}: {validators:?}");
        assert!(deployed.all("AWS::ApiGateway::Model").next().is_none(), "{name}");
        assert!(deployed.all("AWS::ApiGateway::RequestValidator").next().is_none(), "{name}");
    }
}

/// HEAD is GET without the body (RFC 9110 §9.3.2), and so for the same callers.
#[test]
fn head_is_supported_where_get_is() {
    for (name, deployed) in cases() {
        for (path, item) in body(deployed)["paths"].as_object().into_iter().flatten() {
            let (get, mut head) = (item["get"].clone(), item["head"].clone());
            if let Some(method) = head.pointer_mut("/x-amazon-apigateway-integration/httpMethod") {
                // Only a container gets the client's method.
                let expected = if get["x-amazon-apigateway-integration"]["type"] == "http_proxy" {
                    "HEAD"
                } else {
                    "POST"
                };
                assert_eq!(*method, expected, "{name}: {path}");
                *method = get["x-amazon-apigateway-integration"]["httpMethod"].clone();
            }
            assert_eq!(get, head, "{name}: {path}");
        }
    }
}

/// The gateway responses, with their variables filled in, are problems that the contract describes.
#[test]
fn the_gateway_responses_are_problems() {
    let document = document(&services()).unwrap();
    let mut schema = document["components"]["schemas"]["Problem"].clone();
    schema["components"] = document["components"].clone();
    let problem = jsonschema::draft202012::new(&schema).unwrap();
    let responses = &body(&cases()["production"])["x-amazon-apigateway-gateway-responses"];
    let responses = responses.as_object().unwrap();
    assert!(responses.contains_key("DEFAULT_4XX") && responses.contains_key("DEFAULT_5XX"));
    for (name, response) in responses {
        let text = response["responseTemplates"]["application/json"].as_str().unwrap_or_default();
        let filled =
            text.replace("$context.error.messageString", " \"Missing\"").replace("$context.requestId", "r-1");
        assert!(!filled.contains('$'), "{name}: {filled}");
        let body: Value = serde_json::from_str(&filled).unwrap();
        assert!(problem.is_valid(&body), "{name}: {body}");
        assert_eq!(response["statusCode"], body["status"].to_string(), "{name}");
        let kinds = |response: &Value| {
            response["content"]["application/problem+json"]["schema"]["properties"]["type"]["enum"].clone()
        };
        let is_described =
            document["components"]["responses"].as_object().into_iter().flatten().any(|(_, response)| {
                let schema = &response["content"]["application/problem+json"]["schema"]["properties"];
                schema["status"]["const"] == body["status"]
                    && kinds(response).as_array().is_some_and(|kinds| kinds.contains(&body["type"]))
            });
        assert!(is_described, "{name}: no operation describes the response {body}");
        let header = |name: &str| &response["responseParameters"][format!("gatewayresponse.header.{name}")];
        assert_eq!(*header("X-Correlation-Id"), "context.requestId", "{name}");
    }
}

/// Web pages of other origins cannot read them.
#[test]
fn the_gateway_responses_allow_only_a_listed_origin() {
    let origins = |case: &str| -> Vec<Value> {
        let responses = &body(&cases()[case])["x-amazon-apigateway-gateway-responses"];
        let header = "gatewayresponse.header.Access-Control-Allow-Origin";
        responses.as_object().unwrap().values().map(|it| it["responseParameters"][header].clone()).collect()
    };
    assert!(
        origins("production").iter().all(|it| it == "'https://shop.test'"),
        "{:?}",
        origins("production")
    );
    assert!(origins("staging").iter().all(Value::is_null), "no origin is allowed: {:?}", origins("staging"));
}

/// A stage serves a deployment, which is a snapshot of the definition: a change needs a new deployment to take effect.
#[test]
fn a_changed_parameter_of_the_definition_creates_a_new_deployment() {
    let deployment = |parameters: &deployment::Parameters| {
        let mut transformed = transform(&BTreeMap::from([("it", parameters.clone())])).unwrap();
        let deployed = Deployed::new(transformed.remove("it").unwrap(), parameters).unwrap();
        let (id, _) = deployed.all("AWS::ApiGateway::Deployment").next().unwrap();
        let (_, stage) = deployed.all("AWS::ApiGateway::Stage").next().unwrap();
        assert_eq!(stage["DeploymentId"], json!({ "Ref": id }));
        id.to_owned()
    };
    let mut before = deployment(&production().unwrap());
    for (name, value) in
        [("OrdersServiceUrl", "https://orders.shop.test"), ("AllowedOrigins", "https://shop.test")]
    {
        // SAM names a deployment that is always created after the current second.
        std::thread::sleep(Duration::from_millis(1100));
        let mut parameters = production().unwrap();
        parameters.insert(name.to_owned(), value.to_owned());
        let after = deployment(&parameters);
        assert_ne!(before, after, "{name}");
        before = after;
    }
}

#[test]
fn the_access_log_contains_the_correlation_id() {
    let stage = |case: &str| cases()[case].all("AWS::ApiGateway::Stage").next().unwrap().1.clone();
    let setting = &stage("production")["AccessLogSetting"];
    let format: BTreeMap<String, String> = serde_json::from_str(setting["Format"].as_str().unwrap()).unwrap();
    assert_eq!(format["gateway_request_id"], "$context.requestId");
    assert_eq!(format["gateway_extended_request_id"], "$context.extendedRequestId");
    assert!(format.values().all(|value| value.starts_with("$context.")), "{format:?}");
    assert!(!setting["DestinationArn"].is_null());
    assert!(stage("local")["AccessLogSetting"].is_null(), "the emulator has no role for access logs");
}
