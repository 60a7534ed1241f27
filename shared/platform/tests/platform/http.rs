//! Requests and problems from the perspective of a client.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query};
use axum::routing::{get, post};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use platform::clock::SystemClock;
use platform::host::http::build_app;
use platform::http::input::{LineInput, parse_lines};
use platform::http::precondition::with_etag;
use platform::http::{
    Access, Json, Operation, OperationDescription, Problem, RequestCause, Routes, parse_path_parameter,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tower::ServiceExt;

#[derive(Debug, eserde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    note: String,
    lines: Vec<LineInput>,
}

#[derive(Debug, Deserialize)]
struct Filter {
    #[expect(dead_code, reason = "only whether it can be parsed matters")]
    name: Option<String>,
}

async fn create(body: Json<Order>) -> Result<Json<Value>, Problem> {
    let lines = parse_lines(body.0.lines)?;
    Ok(Json(json!({ "note": body.0.note, "total": lines.total().to_string() })))
}

async fn read(Path(number): Path<String>) -> Result<Json<u8>, Problem> {
    Ok(Json(parse_path_parameter("number", &number)?))
}

async fn cause(RequestCause(cause): RequestCause) -> Json<Value> {
    Json(json!({ "traceparent": cause.traceparent, "correlation_id": cause.correlation_id }))
}

async fn bug() -> StatusCode {
    panic!("ada@example.com")
}

fn app() -> Router {
    let unavailable =
        || async { Err::<(), _>(Problem::from(anyhow::anyhow!("ada@example.com is not there"))) };
    build_app(
        Router::new()
            .route("/orders", post(create).get(|Query(_): Query<Filter>| async {}))
            .route("/numbers/{number}", get(read))
            .route("/cause", get(cause))
            .route("/bug", get(bug))
            .route("/away", get(unavailable)),
        Arc::new(SystemClock),
    )
}

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    headers: http::HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The locations of the errors, sorted: their order has no meaning.
    pub(crate) fn locations(&self) -> Vec<&str> {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.body);
        let errors = self.body["errors"].as_array().unwrap();
        let mut locations: Vec<&str> = errors
            .iter()
            .map(|error| {
                assert!(!error["detail"].as_str().unwrap().is_empty());
                error["pointer"].as_str().or_else(|| error["parameter"].as_str()).unwrap()
            })
            .collect();
        locations.sort_unstable();
        locations
    }
}

pub(crate) async fn call(request: Request<Body>) -> Reply {
    let (parts, body) = app().oneshot(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Reply {
        status: parts.status,
        headers: parts.headers,
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
    }
}

pub(crate) fn request(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header("x-correlation-id", "request-1")
}

async fn fetch(path: &str) -> Reply {
    call(request("GET", path).body(Body::empty()).unwrap()).await
}

pub(crate) async fn send(body: impl Into<Body>) -> Reply {
    send_as("application/json; charset=utf-8", body).await
}

pub(crate) async fn send_as(media_type: &str, body: impl Into<Body>) -> Reply {
    let request = request("POST", "/orders").header("content-type", media_type);
    call(request.body(body.into()).unwrap()).await
}

pub(crate) fn valid() -> Value {
    json!({"note": "n", "lines": [{"sku": "A", "quantity": 2, "unit_price": {"amount": 5, "currency": "EUR"}}]})
}

#[tokio::test]
async fn problems_have_a_fixed_format() {
    let reply = send("{\"note\":7,\"lines\":[]}").await;
    insta::assert_json_snapshot!("invalid_request", reply.body);
    insta::assert_json_snapshot!("not_found", fetch("/nowhere").await.body);
    insta::assert_json_snapshot!("unavailable", fetch("/away").await.body);
    insta::assert_json_snapshot!("internal", fetch("/bug").await.body);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let reply = fetch("/nowhere").await;
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (StatusCode::NOT_FOUND, "application/problem+json")
    );
    let reply = call(request("DELETE", "/orders").body(Body::empty()).unwrap()).await;
    assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(reply.header("content-type"), "application/problem+json");
    let allowed = reply.header("allow");
    assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");
}

#[tokio::test]
async fn an_empty_path_segment_is_not_an_unknown_path() {
    for path in ["/numbers/", "/numbers//", "//numbers/1", "/numbers/1/", "/orders/"] {
        let reply = fetch(path).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(reply.body["type"], "urn:serverless-orders:problem:unreadable-address", "{path}");
    }
    assert_eq!(fetch("/numbers/%2F").await.locations(), ["number"]);
    assert_eq!(fetch("/").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    for (path, status) in [
        ("/cause", StatusCode::OK),
        ("/numbers/7", StatusCode::OK),
        ("/numbers/300", StatusCode::BAD_REQUEST),
        ("/numbers/%FF", StatusCode::BAD_REQUEST),
        ("/away", StatusCode::SERVICE_UNAVAILABLE),
        ("/bug", StatusCode::INTERNAL_SERVER_ERROR),
        ("/nowhere", StatusCode::NOT_FOUND),
    ] {
        let get = fetch(path).await;
        let request = request("HEAD", path).body(Body::empty()).unwrap();
        let (head, body) = app().oneshot(request).await.unwrap().into_parts();
        assert_eq!((head.status, get.status), (status, status), "{path}");
        assert_eq!(head.headers.get("content-type"), get.headers.get("content-type"), "{path}");
        assert_eq!(head.headers["x-correlation-id"], "request-1");
        assert!(body.collect().await.unwrap().to_bytes().is_empty(), "{path}");
    }
}

#[tokio::test]
async fn every_route_with_an_etag_honours_if_match() {
    let describe = |_: &mut OperationDescription| {};
    let routes = Routes::<()>::default()
        .add(Operation::get("/tagged", "readTagged", Access::Public, describe), async || {
            with_etag(7, Json(json!({})))
        })
        .add(Operation::get("/plain", "readPlain", Access::Public, describe), async || Json(json!({})));
    let app = build_app(routes.router(()), Arc::new(SystemClock));
    for (path, tags, expected) in [
        ("/tagged", &["\"7\""][..], StatusCode::OK),
        ("/tagged", &["*"], StatusCode::OK),
        ("/tagged", &["\"6\", \"7\""], StatusCode::OK),
        ("/tagged", &["\"6\"", "\"7\""], StatusCode::OK),
        ("/tagged", &["\"6\""], StatusCode::PRECONDITION_FAILED),
        ("/tagged", &["W/\"7\""], StatusCode::PRECONDITION_FAILED),
        ("/tagged", &["7"], StatusCode::PRECONDITION_FAILED),
        ("/tagged", &[""], StatusCode::PRECONDITION_FAILED),
        // Without an ETag in the response there is nothing to compare.
        ("/plain", &["\"6\""], StatusCode::OK),
    ] {
        for method in ["GET", "HEAD"] {
            let mut request = request(method, path);
            for tag in tags {
                request = request.header("if-match", *tag);
            }
            let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            assert_eq!(response.status(), expected, "{method} {path} {tags:?}");
        }
    }
}

#[tokio::test]
async fn invalid_paths_and_queries_are_problems() {
    assert_eq!(fetch("/numbers/300").await.locations(), ["number"]);
    for path in ["/numbers/%FF", "/orders?name=a&name=b"] {
        let reply = fetch(path).await;
        assert_eq!(reply.header("content-type"), "application/problem+json", "{path} {}", reply.body);
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(reply.body["correlation_id"], "request-1", "{path}");
    }
}

#[tokio::test]
async fn causes_of_internal_errors_are_not_returned_to_the_client() {
    let bug = fetch("/bug").await;
    assert_eq!(
        (bug.status, bug.header("x-correlation-id")),
        (StatusCode::INTERNAL_SERVER_ERROR, "request-1")
    );
    let away = fetch("/away").await;
    assert_eq!((away.status, away.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "1"));
    for reply in [bug, away] {
        assert!(!reply.body.to_string().contains("ada"), "{}", reply.body);
    }
}

#[tokio::test]
async fn the_correlation_id_is_that_of_the_client_or_a_new_one() {
    assert_eq!(fetch("/cause").await.header("x-correlation-id"), "request-1");
    for bad in ["", "two words", "ümlaut", &"x".repeat(129)] {
        let request = Request::builder().uri("/cause").header("x-correlation-id", bad.as_bytes());
        let reply = call(request.body(Body::empty()).unwrap()).await;
        let id = reply.header("x-correlation-id").to_owned();
        assert!(id.parse::<uuid::Uuid>().is_ok(), "{bad:?} became {id}");
        assert_eq!(reply.body["correlation_id"], json!(id));
    }
}

#[tokio::test]
async fn only_a_valid_traceparent_is_propagated() {
    let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for (sent, expected) in
        [(good, json!(good)), ("00-0af7-b7ad-01", json!(null)), (&good.replace('a', "g"), json!(null))]
    {
        let request = request("GET", "/cause").header("traceparent", sent);
        assert_eq!(call(request.body(Body::empty()).unwrap()).await.body["traceparent"], expected, "{sent}");
    }
}
