//! Unusual events, and responses of every kind.

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::get;
use serde_json::json;
use tower::ServiceExt;

use super::*;

fn sample() -> Value {
    serde_json::from_str(include_str!("../../../../../events/orders-api.json")).unwrap()
}

fn request(event: Value) -> Request {
    serde_json::from_value::<ProxyEvent>(event).unwrap().into()
}

/// The sample event with some fields replaced.
fn with(fields: Value) -> Request {
    let mut event = sample();
    for (name, value) in fields.as_object().unwrap() {
        event[name] = value.clone();
    }
    request(event)
}

fn is_refused(request: &Request) -> bool {
    let refused = request.extensions().get::<Refused>();
    refused.is_some_and(|Refused(problem)| problem.status() == 400)
}

#[test]
fn the_caller_comes_from_the_gateways_context() {
    let caller = |context: Value| {
        let mut event = sample();
        event["requestContext"].as_object_mut().unwrap().remove("authorizer");
        for (name, value) in context.as_object().unwrap() {
            event["requestContext"][name] = value.clone();
        }
        request(event).extensions().get::<Caller>().cloned().unwrap()
    };
    let claims = json!({
        "sub": "u-1", "client_id": "shop", "token_use": "access", "scope": "orders/read", "cognito:groups": "[staff]",
    });
    let user = caller(json!({ "authorizer": { "claims": claims } }));
    assert!(matches!(user, Caller::User { is_staff: true, .. }), "{user:?}");
    let signed =
        caller(json!({ "identity": { "userArn": "arn:aws:sts::1:assumed-role/r/f", "sourceIp": "::1" } }));
    assert_eq!(signed, Caller::Service { arn: "arn:aws:sts::1:assumed-role/r/f".to_owned() });
    assert_eq!(caller(json!({ "authorizer": null })), Caller::Anonymous);
    assert_eq!(caller(json!({ "identity": { "userArn": null, "sourceIp": "::1" } })), Caller::Anonymous);
    let id_token = json!({ "sub": "u-1", "aud": "shop", "token_use": "id" });
    assert_eq!(caller(json!({ "authorizer": { "claims": id_token } })), Caller::Anonymous);
}

#[test]
fn the_verified_email_comes_from_the_claims() {
    let email = |claims: Value| {
        let context = json!({ "authorizer": { "claims": claims } });
        let request = with(json!({ "requestContext": context }));
        request.extensions().get::<VerifiedEmail>().cloned().unwrap().0
    };
    assert_eq!(email(json!({ "verified_email": "ada@example.com" })), "ada@example.com".parse().ok());
    for claims in [json!({}), json!({ "email": "ada@example.com" }), json!({ "verified_email": "a..b@c.de" })]
    {
        assert_eq!(email(claims.clone()), None, "{claims}");
    }
}

#[test]
fn a_header_does_not_identify_the_caller() {
    let request = with(json!({ "requestContext": null, "headers": { "Authorization": "Bearer x" } }));
    assert_eq!(request.extensions().get::<Caller>(), Some(&Caller::Anonymous));
    assert!(request.extensions().get::<GatewayRequestId>().is_none());
}

#[test]
fn the_stage_is_not_part_of_the_path() {
    let request = request(sample());
    assert_eq!(request.uri(), "/orders");
    assert!(request.extensions().get::<GatewayRequestId>().is_some());
}

#[test]
fn paths_and_queries_are_encoded_once() {
    let uri = |path: &str, query: Value| {
        let request = with(json!({ "path": path, "multiValueQueryStringParameters": query }));
        assert!(!is_refused(&request), "{path}");
        request.uri().to_string()
    };
    assert_eq!(uri("/orders/a%20b", json!(null)), "/orders/a%20b");
    assert_eq!(uri("/orders/a b?c#ü", json!({})), "/orders/a%20b%3Fc%23%C3%BC");
    assert_eq!(uri("", json!(null)), "/");
    assert_eq!(uri("orders", json!(null)), "/orders");
    assert_eq!(uri("//evil.example/x", json!(null)), "//evil.example/x");
    assert_eq!(uri("/o", json!({ "a&b": ["1=2", "é +"], "c": null })), "/o?a%26b=1%3D2&a%26b=%C3%A9%20%2B");
    let single = with(json!({ "queryStringParameters": { "a": "1", "b": null } }));
    assert_eq!(single.uri(), "/orders?a=1&b=");
}

#[test]
fn every_value_of_a_header_is_converted_once() {
    let request = with(json!({
        "headers": { "X-A": "2", "x-B": "3", "x-c": null }, "multiValueHeaders": { "x-a": ["1", "2"], "x-d": null },
    }));
    let all = |name: &str| {
        let values = request.headers().get_all(name);
        values.iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((all("x-a"), all("x-b")), (vec!["1", "2"], vec!["3"]));
    assert_eq!(request.headers().len(), 3);
}

/// `lambda_http` 1.3 panics on the first four.
#[test]
fn invalid_requests_are_refused_and_unusual_ones_are_accepted() {
    let headers: Value = (0..40_000).map(|number| (format!("x-{number}"), json!(["1"]))).collect();
    let refused = [
        json!({ "path": format!("/{}", "a".repeat(70_000)) }),
        json!({ "queryStringParameters": { "a": "a".repeat(70_000) } }),
        json!({ "body": "?", "isBase64Encoded": true }),
        json!({ "multiValueHeaders": headers }),
        json!({ "body": "YQ==YQ==", "isBase64Encoded": true }),
        json!({ "httpMethod": "" }),
        json!({ "httpMethod": "GE T" }),
        json!({ "headers": { "a b": "1" } }),
        json!({ "multiValueHeaders": { "a": ["1\r\nb: 2"] } }),
    ];
    for fields in refused {
        assert!(is_refused(&with(fields.clone())), "{:.100}", fields.to_string());
    }
    let accepted = [
        json!({ "headers": { "Host": "1234567890.execute-api.{dns_suffix}" } }),
        json!({ "multiValueHeaders": { "Host": ["a b", "", "[::1"], "x": vec!["1"; 40_000] } }),
        json!({ "headers": null, "multiValueHeaders": null }),
        json!({ "headers": { "X-Forwarded-Proto": "://", "a": "ü" } }),
        json!({ "path": null, "body": null, "requestContext": {} }),
        json!({ "body": null, "isBase64Encoded": true }),
        json!({ "httpMethod": "BREW" }),
    ];
    for fields in accepted {
        assert!(!is_refused(&with(fields.clone())), "{fields}");
    }
}

#[tokio::test]
async fn a_refused_request_gets_its_problem_whatever_its_path() {
    let app = Router::new().route("/orders", get(|| async { "listed" })).layer(from_fn(refuse));
    let respond = async |fields: Value| app.clone().oneshot(with(fields)).await.unwrap().into_parts();
    for path in ["/orders", "/nothing"] {
        let (parts, body) = respond(json!({ "httpMethod": "GE T", "path": path })).await;
        assert_eq!(parts.status, 400, "{path}");
        let problem: Value = serde_json::from_slice(&to_bytes(body, usize::MAX).await.unwrap()).unwrap();
        assert_eq!(problem["detail"], "The method is not an HTTP method.");
    }
    let (parts, body) = respond(json!({ "httpMethod": "GET", "path": "/orders" })).await;
    assert_eq!(
        (parts.status.as_u16(), to_bytes(body, usize::MAX).await.unwrap().as_ref()),
        (200, b"listed".as_slice())
    );
}

#[test]
fn events_of_other_services_are_not_requests() {
    for event in [json!({ "Records": [] }), json!({}), json!(null), json!([]), json!("GET"), json!(7)] {
        assert!(serde_json::from_value::<ProxyEvent>(event.clone()).is_err(), "{event}");
    }
}

#[tokio::test]
async fn text_stays_text_and_any_other_body_is_base64() {
    let convert = async |kind: &str, encoding: Option<&str>, body: &'static [u8]| {
        let mut response = Response::new(Body::from(body));
        response.headers_mut().insert("content-type", kind.parse().unwrap());
        response.headers_mut().append("x-a", "1".parse().unwrap());
        response.headers_mut().append("x-a", HeaderValue::from_bytes(b"\xff").unwrap());
        if let Some(encoding) = encoding {
            response.headers_mut().insert("content-encoding", encoding.parse().unwrap());
        }
        serde_json::to_value(ProxyResponse::from_response(response).await).unwrap()
    };
    let text = convert("application/json", None, "{\"a\":\"ü\"}".as_bytes()).await;
    assert_eq!((&text["body"], &text["isBase64Encoded"]), (&json!("{\"a\":\"ü\"}"), &json!(false)));
    assert_eq!(text["multiValueHeaders"]["x-a"], json!(["1", "\u{fffd}"]));
    assert_eq!(text["statusCode"], 200);
    let file = convert("application/pdf", None, b"%PDF\xff").await;
    assert_eq!((&file["body"], &file["isBase64Encoded"]), (&json!("JVBERv8="), &json!(true)));
    assert_eq!(convert("text/plain", Some("br"), b"a").await["isBase64Encoded"], json!(true));
}

#[tokio::test]
async fn an_incomplete_body_is_a_500() {
    let chunks = futures::stream::iter([Ok("a"), Err("lost")]);
    let response = ProxyResponse::from_response(Response::new(Body::from_stream(chunks))).await;
    assert_eq!(response.status_code, 500);
    assert!(response.body.contains("internal"));
}
