//! Requests and problems, as a client sees them.

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
use platform::http::{RequestCause, Json, Problem, parse_path_parameter};
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
    #[expect(dead_code, reason = "only whether it can be read counts")]
    name: Option<String>,
}

async fn take(body: Json<Order>) -> Result<Json<Value>, Problem> {
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
            .route("/orders", post(take).get(|Query(_): Query<Filter>| async {}))
            .route("/numbers/{number}", get(read))
            .route("/cause", get(cause))
            .route("/bug", get(bug))
            .route("/away", get(unavailable)),
        Arc::new(SystemClock),
    )
}

struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Where something was wrong.
    fn places(&self) -> Vec<&str> {
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

async fn ask(request: Request<Body>) -> Answer {
    let (parts, body) = app().oneshot(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
    }
}

fn request(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header("x-correlation-id", "request-1")
}

async fn fetch(path: &str) -> Answer {
    ask(request("GET", path).body(Body::empty()).unwrap()).await
}

async fn send(body: impl Into<Body>) -> Answer {
    let request = request("POST", "/orders").header("content-type", "application/json; charset=utf-8");
    ask(request.body(body.into()).unwrap()).await
}

fn good() -> Value {
    json!({"note": "n", "lines": [{"sku": "A", "quantity": 2, "unit_price": {"amount": 5, "currency": "EUR"}}]})
}

#[tokio::test]
async fn a_body_that_is_right_is_taken() {
    let answer = send(good().to_string()).await;
    assert_eq!((answer.status, &answer.body), (StatusCode::OK, &json!({"note": "n", "total": "0.10 EUR"})));
    assert_eq!(answer.header("content-type"), "application/json");
}

#[tokio::test]
async fn a_list_is_no_body() {
    let list = json!(["a note", [{"sku": "TEA-001", "quantity": 1, "unit_price": {"amount": 1, "currency": "EUR"}}]]);
    let answer = send(list.to_string()).await;
    assert_eq!((answer.status, answer.places()), (StatusCode::BAD_REQUEST, vec![""]));
}

#[tokio::test]
async fn nothing_comes_behind_a_body() {
    for behind in ["{", "x", "{}", "\u{0}", ","] {
        let answer = send(good().to_string() + behind).await;
        assert_eq!((answer.status, answer.places()), (StatusCode::BAD_REQUEST, vec![""]), "{behind}");
    }
    assert_eq!(send(good().to_string() + " \r\n\t").await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_field_that_is_wrong_is_named_at_once() {
    let body = json!({
        "note": 7,
        "lines": [
            {"sku": "a b", "quantity": 0, "unit_price": {"amount": -1, "currency": "eur"}},
            {"sku": "B", "quantity": "two", "unit_price": {"amount": 1.5}},
            {"quantity": 1_000_000, "unit_price": null},
        ],
    });
    let answer = send(body.to_string()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let mut places = answer.places();
    places.sort_unstable();
    assert_eq!(
        places,
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
async fn every_field_that_is_not_known_is_named_and_what_is_wrong_beside_it() {
    let mut body = good();
    body["a/b~c"] = json!("x");
    body["coupon"] = json!({"code": 1});
    body["note"] = json!(1);
    body["lines"][0]["unit_price"]["tax"] = json!(1);
    body["lines"][0]["zzz"] = json!(1);
    body["lines"][0]["sku"] = json!("");
    let answer = send(body.to_string()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let mut places = answer.places();
    places.sort_unstable();
    assert_eq!(
        places,
        ["/a~1b~0c", "/coupon", "/lines/0/sku", "/lines/0/unit_price/tax", "/lines/0/zzz", "/note"]
    );
}

#[tokio::test]
async fn lines_that_make_no_order_are_named_together() {
    let mut body = good();
    let line = body["lines"][0].clone();
    body["lines"].as_array_mut().unwrap().push(line);
    assert_eq!(send(body.to_string()).await.places(), ["/lines"]);
}

#[tokio::test]
async fn no_json_is_a_problem_of_the_whole_body() {
    for body in ["", "{", "[]", "null", "{\"note\":\"n\"", "\u{0}", "{\"note\":\"n\",\"lines\":[]} x"] {
        let answer = send(body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body:?}");
        assert!(!answer.places().is_empty(), "{body:?}");
    }
    assert_eq!(send(vec![b'"', 0xff, b'"']).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn what_was_sent_is_not_told_again() {
    let secret = "ada@example.com";
    for body in [
        json!({"note": [secret], "lines": secret}),
        json!({"note": "n", "lines": [{"sku": secret, "quantity": secret, "unit_price": secret}]}),
        json!({"note": "n", "lines": [{"sku": "A", "quantity": 1, "unit_price": {"amount": secret, "currency": secret}}]}),
        json!(secret),
    ] {
        let answer = send(body.to_string()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(!answer.body.to_string().contains("ada"), "{}", answer.body);
    }
}

#[tokio::test]
async fn too_much_and_no_json_have_statuses_of_their_own() {
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
        let answer = ask(request.body(Body::from(good().to_string())).unwrap()).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind:?}");
    }
}

#[tokio::test]
async fn the_shape_of_a_problem() {
    let answer = send("{\"note\":7,\"lines\":[]}").await;
    insta::assert_json_snapshot!("invalid_request", answer.body);
    insta::assert_json_snapshot!("not_found", fetch("/nowhere").await.body);
    insta::assert_json_snapshot!("unavailable", fetch("/away").await.body);
    insta::assert_json_snapshot!("internal", fetch("/bug").await.body);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let answer = fetch("/nowhere").await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (StatusCode::NOT_FOUND, "application/problem+json")
    );
    let answer = ask(request("DELETE", "/orders").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let allowed = answer.header("allow");
    assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");
}

#[tokio::test]
async fn paths_and_queries_that_cannot_be_read_are_problems() {
    assert_eq!(fetch("/numbers/300").await.places(), ["number"]);
    for path in ["/numbers/%FF", "/orders?name=a&name=b"] {
        let answer = fetch(path).await;
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path} {}", answer.body);
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(answer.body["correlation_id"], "request-1", "{path}");
    }
}

#[tokio::test]
async fn a_panic_and_a_failed_call_tell_the_client_nothing_of_it() {
    let bug = fetch("/bug").await;
    assert_eq!(
        (bug.status, bug.header("x-correlation-id")),
        (StatusCode::INTERNAL_SERVER_ERROR, "request-1")
    );
    let away = fetch("/away").await;
    assert_eq!((away.status, away.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "1"));
    for answer in [bug, away] {
        assert!(!answer.body.to_string().contains("ada"), "{}", answer.body);
    }
}

#[tokio::test]
async fn the_correlation_id_is_the_clients_or_a_new_one() {
    assert_eq!(fetch("/cause").await.header("x-correlation-id"), "request-1");
    for bad in ["", "two words", "ümlaut", &"x".repeat(129)] {
        let request = Request::builder().uri("/cause").header("x-correlation-id", bad.as_bytes());
        let answer = ask(request.body(Body::empty()).unwrap()).await;
        let id = answer.header("x-correlation-id").to_owned();
        assert!(id.parse::<uuid::Uuid>().is_ok(), "{bad:?} became {id}");
        assert_eq!(answer.body["correlation_id"], json!(id));
    }
}

#[tokio::test]
async fn only_a_traceparent_that_is_one_is_carried_on() {
    let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for (sent, carried) in
        [(good, json!(good)), ("00-0af7-b7ad-01", json!(null)), (&good.replace('a', "g"), json!(null))]
    {
        let request = request("GET", "/cause").header("traceparent", sent);
        assert_eq!(ask(request.body(Body::empty()).unwrap()).await.body["traceparent"], carried, "{sent}");
    }
}
