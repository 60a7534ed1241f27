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
use platform::http::{Json, Problem, RequestCause, parse_path_parameter};
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

struct Reply {
    status: StatusCode,
    headers: http::HeaderMap,
    body: Value,
}

impl Reply {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The locations of the errors.
    fn locations(&self) -> Vec<&str> {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.body);
        let errors = self.body["errors"].as_array().unwrap();
        errors
            .iter()
            .map(|error| {
                assert!(!error["detail"].as_str().unwrap().is_empty());
                error["pointer"].as_str().or_else(|| error["parameter"].as_str()).unwrap()
            })
            .collect()
    }
}

async fn call(request: Request<Body>) -> Reply {
    let (parts, body) = app().oneshot(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Reply {
        status: parts.status,
        headers: parts.headers,
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
    }
}

fn request(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header("x-correlation-id", "request-1")
}

async fn fetch(path: &str) -> Reply {
    call(request("GET", path).body(Body::empty()).unwrap()).await
}

async fn send(body: impl Into<Body>) -> Reply {
    let request = request("POST", "/orders").header("content-type", "application/json; charset=utf-8");
    call(request.body(body.into()).unwrap()).await
}

fn valid() -> Value {
    json!({"note": "n", "lines": [{"sku": "A", "quantity": 2, "unit_price": {"amount": 5, "currency": "EUR"}}]})
}

#[tokio::test]
async fn a_valid_body_is_accepted() {
    let reply = send(valid().to_string()).await;
    assert_eq!((reply.status, &reply.body), (StatusCode::OK, &json!({"note": "n", "total": "0.10 EUR"})));
    assert_eq!(reply.header("content-type"), "application/json");
}

#[tokio::test]
async fn a_list_is_not_a_body() {
    let list = json!(["a note", [{"sku": "TEA-001", "quantity": 1, "unit_price": {"amount": 1, "currency": "EUR"}}]]);
    let reply = send(list.to_string()).await;
    assert_eq!((reply.status, reply.locations()), (StatusCode::BAD_REQUEST, vec![""]));
}

#[tokio::test]
async fn nothing_may_follow_a_body() {
    for suffix in ["{", "x", "{}", "\u{0}", ","] {
        let reply = send(valid().to_string() + suffix).await;
        assert_eq!((reply.status, reply.locations()), (StatusCode::BAD_REQUEST, vec![""]), "{suffix}");
    }
    assert_eq!(send(valid().to_string() + " \r\n\t").await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_invalid_field_is_reported_at_once() {
    let body = json!({
        "note": 7,
        "lines": [
            {"sku": "a b", "quantity": 0, "unit_price": {"amount": -1, "currency": "eur"}},
            {"sku": "B", "quantity": "two", "unit_price": {"amount": 1.5}},
            {"quantity": 1_000_000, "unit_price": null},
        ],
    });
    let reply = send(body.to_string()).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    let mut locations = reply.locations();
    locations.sort_unstable();
    assert_eq!(
        locations,
        [
            "/lines/0/quantity",
            "/lines/0/sku",
            "/lines/0/unit_price/amount",
            "/lines/0/unit_price/currency",
            "/lines/1/quantity",
            "/lines/1/unit_price/amount",
            "/lines/1/unit_price/currency",
            "/lines/2/quantity",
            "/lines/2/sku",
            "/lines/2/unit_price",
            "/note",
        ]
    );
}

#[tokio::test]
async fn unknown_fields_are_reported_together_with_invalid_ones() {
    let mut body = valid();
    body["a/b~c"] = json!("x");
    body["coupon"] = json!({"code": 1});
    body["note"] = json!(1);
    body["lines"][0]["unit_price"]["tax"] = json!(1);
    body["lines"][0]["zzz"] = json!(1);
    body["lines"][0]["sku"] = json!("");
    let reply = send(body.to_string()).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    let mut locations = reply.locations();
    locations.sort_unstable();
    assert_eq!(
        locations,
        ["/a~1b~0c", "/coupon", "/lines/0/sku", "/lines/0/unit_price/tax", "/lines/0/zzz", "/note"]
    );
}

#[tokio::test]
async fn lines_that_are_invalid_together_are_one_error() {
    let mut body = valid();
    let line = body["lines"][0].clone();
    body["lines"].as_array_mut().unwrap().push(line);
    assert_eq!(send(body.to_string()).await.locations(), ["/lines"]);
}

#[tokio::test]
async fn invalid_json_is_an_error_of_the_whole_body() {
    for body in ["", "{", "[]", "null", "{\"note\":\"n\"", "\u{0}", "{\"note\":\"n\",\"lines\":[]} x"] {
        let reply = send(body).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{body:?}");
        assert!(!reply.locations().is_empty(), "{body:?}");
    }
    assert_eq!(send(vec![b'"', 0xff, b'"']).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn problems_do_not_repeat_values_of_the_request() {
    let secret = "ada@example.com";
    for body in [
        json!({"note": [secret], "lines": secret}),
        json!({"note": "n", "lines": [{"sku": secret, "quantity": secret, "unit_price": secret}]}),
        json!({"note": "n", "lines": [{"sku": "A", "quantity": 1, "unit_price": {"amount": secret, "currency": secret}}]}),
        json!(secret),
    ] {
        let reply = send(body.to_string()).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST);
        assert!(!reply.body.to_string().contains("ada"), "{}", reply.body);
    }
}

#[tokio::test]
async fn large_bodies_and_other_media_types_have_their_own_statuses() {
    let large = send(vec![b' '; 64 * 1024 + 1]).await;
    assert_eq!(
        (large.status, &large.body["type"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("urn:serverless-orders:problem:too-large"))
    );
    for kind in
        [None, Some("text/plain"), Some("application/jsonp"), Some("multipart/form-data; x=application/json")]
    {
        let mut request = request("POST", "/orders");
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let reply = call(request.body(Body::from(valid().to_string())).unwrap()).await;
        assert_eq!(reply.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind:?}");
    }
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
