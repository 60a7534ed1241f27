//! A client of the services as they run under API Gateway, but in this process and over ports in memory.

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
use platform::http::{Access, Caller, Operation, Scope};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// What it says, where it is JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A service that a test talks to.
pub(crate) struct Client {
    router: Router,
    pub(crate) operation: Operation,
    pub(crate) answers: RefCell<u32>,
}

thread_local!(static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().unwrap());

/// A client for each operation.
pub(crate) fn clients() -> Rc<[Client]> {
    thread_local!(static CLIENTS: Rc<[Client]> = make());
    CLIENTS.with(Rc::clone)
}

fn make() -> Rc<[Client]> {
    let mut clients = Vec::new();
    for service in services() {
        let router = build_app(service.router, Arc::new(SystemClock));
        clients.extend(service.apis.into_iter().flat_map(|api| api.operations).map(|operation| Client {
            router: router.clone(),
            operation,
            answers: RefCell::default(),
        }));
    }
    clients.into()
}

/// Who may use an operation.
fn caller(access: Access) -> Caller {
    let all = Scope::ALL.into_iter().filter(|scope| *scope != Scope::HealthCheck);
    let (id, scopes) = ("u-1".parse().unwrap(), Scopes::from_iter(all));
    match access {
        Access::Public => Caller::Anonymous,
        Access::Scope(_) | Access::ScopeOrHealthCheck(_) => Caller::User { id, is_staff: true, scopes },
        Access::Partner(_) => Caller::Machine { id, scopes },
        Access::Service => Caller::Service { arn: "arn:aws:sts::1:assumed-role/r/f".into() },
    }
}

impl Client {
    /// Whether its operation has a body.
    pub(crate) fn has_body(&self) -> bool {
        self.operation.description().body.is_some()
    }

    /// The operation's path with something that fits in it.
    pub(crate) fn path(&self) -> String {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        let parts = self.operation.path.split('/').map(|part| match part {
            "{order_id}" | "{webhook_id}" | "{event_id}" => id,
            part if part.starts_with('{') => "T-1",
            part => part,
        });
        parts.collect::<Vec<_>>().join("/")
    }

    /// Sends a body as JSON, with the headers that the operation asks for.
    pub(crate) fn send(&self, body: impl Into<Vec<u8>>) -> Answer {
        let mut count = self.answers.borrow_mut();
        *count += 1;
        // A new key each time: a repetition would be answered without a look at the body.
        let key = format!("key-{count}");
        self.send_with(
            &self.path(),
            &[("content-type", b"application/json"), ("idempotency-key", key.as_bytes())],
            body,
        )
    }

    pub(crate) fn send_with(
        &self,
        path: &str,
        headers: &[(&str, &[u8])],
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let mut request = Request::builder().method(self.operation.method.clone()).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(body.into())).unwrap();
        request.extensions_mut().insert(caller(self.operation.access));
        let work = async {
            let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes().to_vec();
            Answer { status: parts.status, headers: parts.headers, body }
        };
        RUNTIME.with(|runtime| runtime.block_on(work))
    }
}

/// The contract, and what was compiled of it.
struct Contract {
    document: Value,
    schemas: RefCell<BTreeMap<String, Rc<Validator>>>,
}

thread_local! {
    static CONTRACT: Contract =
        Contract { document: document(&services()).unwrap(), schemas: RefCell::default() };
}

/// That an answer is one that the contract describes.
pub(crate) fn described(client: &Client, answer: &Answer) -> Result<(), String> {
    CONTRACT.with(|contract| contract.describes(client, answer))
}

impl Contract {
    fn describes(&self, client: &Client, answer: &Answer) -> Result<(), String> {
        let operation = &client.operation;
        let method = operation.method.as_str().to_lowercase();
        let response = &self.document["paths"][operation.path][method]["responses"][answer.status.as_str()];
        let reference = response["$ref"].as_str().and_then(|it| it.strip_prefix('#'));
        let response = reference.map_or(response, |path| self.document.pointer(path).unwrap());
        let wrong = |what: &str| {
            let body = String::from_utf8_lossy(&answer.body);
            Err(format!("{}: {what}: {} {body}", operation.id, answer.status))
        };
        if response.is_null() {
            return wrong("the contract has no such status");
        }
        for (name, _) in response["headers"].as_object().into_iter().flatten() {
            if !answer.headers.contains_key(name) {
                return wrong(&format!("the header {name} is missing"));
            }
        }
        let media_type = answer.header("content-type").split(';').next().unwrap_or_default();
        let Some(content) = response["content"].as_object() else { return Ok(()) };
        let Some(content) = content.get(media_type) else {
            return wrong("the contract has no such media type");
        };
        if !media_type.ends_with("json") {
            return Ok(());
        }
        let schema = self.compiled(&format!("{} {}", operation.id, answer.status), &content["schema"]);
        schema.validate(&answer.json()).or_else(|error| wrong(&error.to_string()))
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
