//! The deployed gateway against the contract: each operation has its route and its authorization, and its function gets
//! every body.

use end_to_end::{ApiResponse, Partner, Stack, User};
use http::{Method, StatusCode};
use serde_json::Value;
use uuid::Uuid;

use crate::shared;

/// The authentication that an operation requires, from the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Security {
    None,
    Token,
    PartnerKey,
    Signature,
}

/// An operation of the contract.
struct Operation {
    method: Method,
    /// The path with a value for each parameter; none of them refers to an existing resource.
    path: String,
    security: Security,
    takes_json: bool,
    /// The names of the required headers.
    headers: Vec<String>,
}

/// The contract, as part of this program: `shopctl verify` runs it without a checkout.
const CONTRACT: &str = include_str!("../../../../docs/openapi.json");

fn operations() -> Vec<Operation> {
    let contract: Value = serde_json::from_str(CONTRACT).unwrap();
    let mut operations = Vec::new();
    for (path, item) in contract["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation["operationId"].is_string() {
                operations.push(parse_operation(path, method, operation));
            }
        }
    }
    assert!(operations.len() > 30, "the contract has {} operations", operations.len());
    operations
}

fn parse_operation(path: &str, method: &str, operation: &Value) -> Operation {
    let requires = |scheme: &str| operation["security"][0].get(scheme).is_some();
    let security = match (requires("signature"), requires("key"), requires("token")) {
        (true, ..) => Security::Signature,
        (_, true, _) => Security::PartnerKey,
        (.., true) => Security::Token,
        _ => Security::None,
    };
    let unknown_id = Uuid::new_v4().to_string();
    let path = path.split('/').map(|part| match part {
        "{sku}" => "NO-SUCH-PRODUCT",
        "{day}" => "1999-01-01",
        "{file}" => "page",
        // Releasing an unknown reservation creates a tombstone row, so that a late reservation finds it.
        "{order_id}" if security == Security::Signature => "no-order",
        part if part.starts_with('{') => &unknown_id,
        part => part,
    });
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let required = parameters.iter().filter(|one| one["in"] == "header" && one["required"] == true);
    Operation {
        method: method.to_uppercase().parse().unwrap(),
        path: path.collect::<Vec<_>>().join("/"),
        security,
        takes_json: !operation["requestBody"]["content"]["application/json"].is_null(),
        headers: required.map(|header| header["name"].as_str().unwrap().to_lowercase()).collect(),
    }
}

/// Callers with valid credentials.
struct Callers {
    staff: User,
    partner: Partner,
}

impl Callers {
    async fn create(stack: &Stack) -> Self {
        Self { staff: stack.create_staff().await.unwrap(), partner: stack.create_partner().await.unwrap() }
    }

    /// Sends a request with the required credentials. The body, if there is one, is not an object, so that
    /// the request has no effect.
    async fn call(&self, stack: &Stack, operation: &Operation) -> ApiResponse {
        let body = operation.takes_json.then(|| Value::Array(Vec::new()));
        if operation.security == Security::Signature {
            return stack
                .send_signed(operation.method.clone(), &operation.path, body.as_ref())
                .await
                .unwrap();
        }
        let mut headers: Vec<(&str, &str)> = match operation.security {
            Security::Token => vec![("authorization", &self.staff.bearer)],
            Security::PartnerKey => self.partner.headers().to_vec(),
            _ => vec![("authorization", "")],
        };
        headers.extend(operation.headers.iter().map(|name| (name.as_str(), "none")));
        stack.api(operation.method.clone(), &operation.path, &headers, body.as_ref()).await.unwrap()
    }
}

/// Returns whether the response is that of the gateway for an unknown route.
fn has_no_route(response: &ApiResponse) -> bool {
    response.headers.get("x-amzn-errortype").is_some_and(|kind| kind == "MissingAuthenticationTokenException")
        || response.body["detail"]
            .as_str()
            .is_some_and(|detail| detail.starts_with("There is nothing at this path"))
        || response.body["message"] == "Missing Authentication Token"
}

#[tokio::test]
async fn each_operation_of_the_contract_has_its_route() {
    let (stack, _guard) = shared().await;
    let callers = Callers::create(&stack).await;
    let mut missing = Vec::new();
    for operation in operations() {
        let response = callers.call(&stack, &operation).await;
        let is_unhealthy = operation.path == "/health" && response.status == StatusCode::SERVICE_UNAVAILABLE;
        if has_no_route(&response) || (response.status.is_server_error() && !is_unhealthy) {
            missing.push(format!("{} {}: {response:?}", operation.method, operation.path));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[tokio::test]
async fn each_protected_operation_rejects_requests_without_credentials() {
    let (stack, _guard) = shared().await;
    let mut open = Vec::new();
    for operation in operations() {
        let expected_statuses: &[StatusCode] = match operation.security {
            Security::None => continue,
            Security::Token => &[StatusCode::UNAUTHORIZED],
            // The gateway checks the token first.
            Security::PartnerKey => &[StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN],
            // Without a signature, the gateway does not reveal that the route exists.
            Security::Signature => &[StatusCode::NOT_FOUND, StatusCode::FORBIDDEN],
        };
        let response =
            stack.api(operation.method.clone(), &operation.path, &[("authorization", "")], None).await;
        let response = response.unwrap();
        // The header shows that the gateway rejected the request before it invoked a function.
        let by_gateway = response.headers.contains_key("x-amzn-errortype");
        if !expected_statuses.contains(&response.status) || !by_gateway {
            open.push(format!("{} {}: {response:?}", operation.method, operation.path));
        }
    }
    assert!(open.is_empty(), "{open:#?}");
}

#[tokio::test]
async fn each_invalid_body_gets_the_errors_of_the_function() {
    let (stack, _guard) = shared().await;
    let callers = Callers::create(&stack).await;
    let mut unnamed = Vec::new();
    for operation in operations().into_iter().filter(|operation| operation.takes_json) {
        let response = callers.call(&stack, &operation).await;
        // A function names what is wrong in `errors`; the gateway does not.
        if response.status != StatusCode::BAD_REQUEST || response.error_locations() != [""] {
            unnamed.push(format!("{} {}: {response:?}", operation.method, operation.path));
        }
    }
    assert!(unnamed.is_empty(), "{unnamed:#?}");
}

#[tokio::test]
async fn head_is_answered_like_get_without_a_body() {
    let (stack, _guard) = shared().await;
    let callers = Callers::create(&stack).await;
    let mut different = Vec::new();
    for mut operation in operations().into_iter().filter(|it| it.method == Method::GET) {
        // Only functions of the stack may sign, and none of them sends HEAD.
        if operation.security == Security::Signature {
            continue;
        }
        let get = callers.call(&stack, &operation).await;
        operation.method = Method::HEAD;
        let head = callers.call(&stack, &operation).await;
        if head.status != get.status || head.body != "" {
            different.push(format!("{}: {get:?} {head:?}", operation.path));
        }
    }
    assert!(different.is_empty(), "{different:#?}");
}
