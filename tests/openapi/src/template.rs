//! That `template.yaml` routes and checks what the contract says.

use architecture::Violations;
use architecture::template::{FUNCTION, Template};
use platform::http::route::Place;
use platform::http::{Access, Operation};
use serde_json::{Value, json};

use crate::services::Service;

/// A route of the gateway: an event of a function, or an operation in the gateway's own definition.
struct Route {
    /// `InventoryApi/PutProduct`, or `Gateway/post /orders`.
    name: String,
    /// As an event has them.
    properties: Value,
}

impl Route {
    fn serves(&self, operation: &Operation) -> bool {
        let method = self.properties["Method"].as_str().unwrap_or_default();
        self.properties["Path"] == operation.path && method.eq_ignore_ascii_case(operation.method.as_str())
    }
}

fn routes(template: &Template) -> Vec<Route> {
    let mut routes = Vec::new();
    for (id, function) in template.all(FUNCTION) {
        for (name, event) in function.property("/Events").as_object().into_iter().flatten() {
            if event["Type"] == "Api" {
                routes.push(Route { name: format!("{id}/{name}"), properties: event["Properties"].clone() });
            }
        }
    }
    for (id, gateway) in template.all("AWS::Serverless::Api") {
        let models = gateway.property("/Models");
        let paths = gateway.property("/DefinitionBody/paths").as_object();
        for (path, item) in paths.into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                let properties = as_event(path, method, operation, models);
                routes.push(Route { name: format!("{id}/{method} {path}"), properties });
            }
        }
    }
    routes
}

/// An operation of a definition, said in the words of an event.
fn as_event(path: &str, method: &str, operation: &Value, models: &Value) -> Value {
    let mut event = json!({ "Method": method, "Path": path });
    let security = operation["security"][0].as_object();
    let scopes = security.and_then(|security| security.get("CognitoAuthorizer"));
    event["Auth"] = match scopes {
        Some(scopes) => json!({ "Authorizer": "CognitoAuthorizer", "AuthorizationScopes": scopes }),
        None => json!({ "Authorizer": "NONE" }),
    };
    if security.is_some_and(|security| security.contains_key("api_key")) {
        event["Auth"]["ApiKeyRequired"] = true.into();
    }
    let checks = operation["x-amazon-apigateway-request-validator"] == "body-and-params";
    // SAM gives models names in small letters.
    let reference = operation.pointer("/requestBody/content/application~1json/schema/$ref");
    let small = reference.and_then(Value::as_str).and_then(|reference| reference.rsplit('/').next());
    let model = models.as_object().into_iter().flatten().map(|(name, _)| name);
    let model = model.into_iter().find(|name| small == Some(name.to_lowercase().as_str()));
    if let Some(model) = model {
        event["RequestModel"] = json!({ "Model": model, "Required": operation["requestBody"]["required"], "ValidateBody": checks, "ValidateParameters": checks });
    }
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let headers: Vec<Value> = parameters
        .iter()
        .filter(|parameter| parameter["in"] == "header")
        .map(|header| {
            let name = header["name"].as_str().unwrap_or_default();
            json!({ format!("method.request.header.{name}"): { "Required": header["required"] } })
        })
        .collect();
    if !headers.is_empty() {
        event["RequestParameters"] = headers.into();
    }
    event
}

fn operations(services: &[Service]) -> impl Iterator<Item = &Operation> {
    services.iter().flat_map(|service| &service.operations)
}

/// Each operation has one route, and each route an operation, but for the preflights of browsers.
pub fn routes_are_operations(template: &Template, services: &[Service]) -> Violations {
    let routes = routes(template);
    let mut found = Violations::new();
    for operation in operations(services) {
        let names: Vec<&str> =
            routes.iter().filter(|route| route.serves(operation)).map(|route| route.name.as_str()).collect();
        if names.len() != 1 {
            found.push(format!(
                "{} {}: give a function one event of type Api for it; there are {}: {}",
                operation.method,
                operation.path,
                names.len(),
                names.join(", ")
            ));
        }
    }
    for route in &routes {
        let is_preflight =
            route.properties["Method"].as_str().is_some_and(|it| it.eq_ignore_ascii_case("OPTIONS"));
        if !is_preflight && !operations(services).any(|operation| route.serves(operation)) {
            found.push(format!(
                "{}: the contract has no such operation: add it to a service's routes()",
                route.name
            ));
        }
    }
    found
}

/// The gateway refuses bodies that are not as the contract says, and requests without the headers that it asks for.
pub fn bodies_and_headers_are_checked(template: &Template, services: &[Service]) -> Violations {
    let mut found = Violations::new();
    for (route, operation) in pairs(&routes(template), services) {
        let description = operation.description();
        let required = |parameter: &&platform::http::route::Parameter| {
            parameter.required && parameter.place == Place::Header
        };
        let headers: Vec<Value> = description
            .parameters
            .iter()
            .filter(required)
            .map(|header| json!({ format!("method.request.header.{}", header.name): { "Required": true } }))
            .collect();
        let parameters = if headers.is_empty() { Value::Null } else { headers.into() };
        let model = match &description.body {
            Some(body) => {
                json!({ "Model": body.name, "Required": true, "ValidateBody": true, "ValidateParameters": true })
            }
            None => Value::Null,
        };
        for (property, wanted) in [("RequestModel", model), ("RequestParameters", parameters)] {
            if route.properties[property] != wanted {
                found.push(format!("{}: set {property} to {wanted}, as {} has it", route.name, operation.id));
            }
        }
    }
    found
}

/// The gateway asks for what the contract says that one has to show.
pub fn callers_are_asked_who_they_are(template: &Template, services: &[Service]) -> Violations {
    let mut found = Violations::new();
    for (route, operation) in pairs(&routes(template), services) {
        let token = |scope: platform::http::Scope| json!({ "Authorizer": "CognitoAuthorizer", "AuthorizationScopes": [scope.name()] });
        let wanted = match operation.access {
            Access::Public => json!({ "Authorizer": "NONE" }),
            Access::Scope(scope) => token(scope),
            Access::Partner(scope) => {
                let mut both = token(scope);
                both["ApiKeyRequired"] = true.into();
                both
            }
            Access::Service => json!({ "Authorizer": "AWS_IAM" }),
        };
        // The gateway has no default: a route that says nothing asks nothing.
        let asked = match &route.properties["Auth"] {
            Value::Null => json!({ "Authorizer": "NONE" }),
            auth => auth.clone(),
        };
        if asked != wanted {
            found.push(format!("{}: set Auth to {wanted}, as {} has it", route.name, operation.id));
        }
    }
    found
}

fn pairs<'a>(
    routes: &'a [Route],
    services: &'a [Service],
) -> impl Iterator<Item = (&'a Route, &'a Operation)> {
    routes.iter().filter_map(|route| {
        let operation = operations(services).find(|operation| route.serves(operation))?;
        Some((route, operation))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services;

    /// The API of a template with one route.
    fn with_route(properties: &str) -> Template {
        let event = format!("{{Type: Api, Properties: {{{properties}}}}}");
        let function = format!("{{Type: {FUNCTION}, Properties: {{Events: {{E: {event}}}}}}}");
        Template::parse(&format!("Resources: {{F: {function}}}")).unwrap_or_else(|error| panic!("{error}"))
    }

    #[track_caller]
    fn assert_tells(violations: &Violations, words: &[&str]) {
        let told = |violation: &String| words.iter().all(|word| violation.contains(word));
        assert!(violations.iter().any(told), "{words:?} are not in {violations:?}");
    }

    #[test]
    fn a_route_without_an_operation_and_an_operation_without_a_route() {
        let found = routes_are_operations(&with_route("Method: get, Path: /order"), &services());
        assert_tells(&found, &["F/E", "no such operation"]);
        assert_tells(&found, &["GET /orders:", "there are 0"]);
        let preflight = routes_are_operations(&with_route("Method: options, Path: /orders"), &services());
        assert!(!preflight.iter().any(|it| it.starts_with("F/E")), "{preflight:?}");
    }

    #[test]
    fn a_route_that_checks_nothing_or_too_much() {
        let none = bodies_and_headers_are_checked(&with_route("Method: post, Path: /orders"), &services());
        assert_tells(&none, &["F/E", "RequestModel", "PlaceOrder"]);
        assert_tells(&none, &["F/E", "RequestParameters", "Idempotency-Key"]);
        let model = "Method: get, Path: /orders, RequestModel: {Model: PlaceOrder}";
        assert_tells(&bodies_and_headers_are_checked(&with_route(model), &services()), &["F/E", "null"]);
    }

    #[test]
    fn a_route_that_asks_for_something_else() {
        let asks = |auth: &str, path: &str| {
            let route = with_route(&format!("Method: get, Path: {path}, Auth: {auth}"));
            callers_are_asked_who_they_are(&route, &services())
        };
        let cognito =
            |scope: &str| format!("{{Authorizer: CognitoAuthorizer, AuthorizationScopes: [{scope}]}}");
        assert_eq!(asks(&cognito("orders/read"), "/orders"), Violations::new());
        assert_eq!(asks("{Authorizer: NONE}", "/products"), Violations::new());
        assert_tells(&asks(&cognito("orders/write"), "/orders"), &["F/E", "orders/read"]);
        assert_tells(&asks(&cognito("partner/orders"), "/partner/orders"), &["F/E", "ApiKeyRequired"]);
        assert_tells(&asks("{Authorizer: NONE}", "'/reservations/{order_id}'"), &["F/E", "AWS_IAM"]);
    }
}
