//! A client of the services as they run behind API Gateway, but in this process and with in-memory ports.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use jsonschema::Validator;
use openapi::{document, services};
use platform::clock::SystemClock;
use platform::host::http::build_app;
use platform::http::access::Scopes;
use platform::http::testing::set_caller;
use platform::http::{Access, Caller, Operation, Scope};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

/// A response that has been read to its end.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// The body as JSON; null if it is not JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The value of a header; empty if it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A client of one operation.
pub(crate) struct Client {
    router: Router,
    pub(crate) operation: Operation,
    /// The number of requests that [`Client::send`] has sent.
    sent: RefCell<u32>,
}

thread_local!(static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().unwrap());

/// One client for each operation.
pub(crate) fn clients() -> Rc<[Client]> {
    thread_local!(static CLIENTS: Rc<[Client]> = build_clients());
    CLIENTS.with(Rc::clone)
}

fn build_clients() -> Rc<[Client]> {
    let mut clients = Vec::new();
    for service in services() {
        let router = build_app(service.router, Arc::new(SystemClock));
        clients.extend(service.apis.into_iter().flat_map(|api| api.operations).map(|operation| Client {
            router: router.clone(),
            operation,
            sent: RefCell::default(),
        }));
    }
    clients.into()
}

/// A caller that is allowed to use an operation.
fn allowed_caller(access: Access) -> Caller {
    let all = Scope::ALL.iter().copied().filter(|scope| *scope != Scope::HealthCheck);
    let (id, scopes) = ("u-1".parse().unwrap(), Scopes::from_iter(all));
    match access {
        Access::Public => Caller::Anonymous,
        Access::Scope(_) | Access::ScopeOrHealthCheck(_) => Caller::User { id, is_staff: true, scopes },
        Access::Partner(_) => Caller::Machine { id, scopes },
        Access::Service => Caller::Service { arn: "arn:aws:sts::1:assumed-role/r/f".into() },
    }
}

impl Client {
    /// Whether the operation has a request body.
    pub(crate) fn has_body(&self) -> bool {
        self.operation.description().body.is_some()
    }

    /// The operation's path with valid parameters.
    pub(crate) fn path(&self) -> String {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        let parts = self.operation.path.split('/').map(|part| match part {
            "{order_id}" | "{webhook_id}" | "{event_id}" => id,
            part if part.starts_with('{') => "T-1",
            part => part,
        });
        parts.collect::<Vec<_>>().join("/")
    }

    /// Sends a body as JSON, with the headers that the operation requires.
    pub(crate) fn send(&self, body: impl Into<Vec<u8>>) -> Response {
        let mut count = self.sent.borrow_mut();
        *count += 1;
        // A new key each time: a replayed response would not depend on the body.
        let key = format!("key-{count}");
        self.send_with(
            &self.path(),
            &[("content-type", b"application/json"), ("idempotency-key", key.as_bytes())],
            body,
        )
    }

    /// Sends a request with exactly these headers.
    pub(crate) fn send_with(
        &self,
        path: &str,
        headers: &[(&str, &[u8])],
        body: impl Into<Vec<u8>>,
    ) -> Response {
        let mut request = Request::builder().method(self.operation.method.clone()).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(body.into())).unwrap();
        set_caller(&mut request, allowed_caller(self.operation.access));
        let exchange = async {
            let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes().to_vec();
            Response { status: parts.status, headers: parts.headers, body }
        };
        RUNTIME.with(|runtime| runtime.block_on(exchange))
    }
}

/// The contract, with its compiled schemas.
struct Contract {
    document: Value,
    schemas: RefCell<BTreeMap<String, Rc<Validator>>>,
}

thread_local! {
    static CONTRACT: Contract =
        Contract { document: document(&services()).unwrap(), schemas: RefCell::default() };
}

/// Checks that the contract describes the response.
pub(crate) fn validate_response(client: &Client, response: &Response) -> Result<(), String> {
    CONTRACT.with(|contract| contract.validate(client, response))
}

impl Contract {
    fn validate(&self, client: &Client, response: &Response) -> Result<(), String> {
        let operation = &client.operation;
        let method = operation.method.as_str().to_lowercase();
        let described =
            &self.document["paths"][operation.path][method]["responses"][response.status.as_str()];
        let reference = described["$ref"].as_str().and_then(|it| it.strip_prefix('#'));
        let described = reference.map_or(described, |path| self.document.pointer(path).unwrap());
        let violation = |what: &str| {
            let body = String::from_utf8_lossy(&response.body);
            Err(format!("{}: {what}: {} {body}", operation.id, response.status))
        };
        if described.is_null() {
            return violation("the contract does not describe this status");
        }
        for (name, _) in described["headers"].as_object().into_iter().flatten() {
            if !response.headers.contains_key(name) {
                return violation(&format!("the header {name} is missing"));
            }
        }
        let media_type = response.header("content-type").split(';').next().unwrap_or_default();
        let Some(content) = described["content"].as_object() else { return Ok(()) };
        let Some(content) = content.get(media_type) else {
            return violation("the contract does not describe this media type");
        };
        if !media_type.ends_with("json") {
            return Ok(());
        }
        let schema = self.compiled(&format!("{} {}", operation.id, response.status), &content["schema"]);
        schema.validate(&response.json()).or_else(|error| violation(&error.to_string()))
    }

    fn compiled(&self, name: &str, schema: &Value) -> Rc<Validator> {
        let mut schemas = self.schemas.borrow_mut();
        let compile = || {
            let mut schema = schema.clone();
            schema["components"] = self.document["components"].clone();
            Rc::new(jsonschema::draft202012::new(&schema).unwrap())
        };
        schemas.entry(name.to_owned()).or_insert_with(compile).clone()
    }
}
