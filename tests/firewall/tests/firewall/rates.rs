//! The rate limits per IP address.

use firewall::acl::Statement;
use firewall::request::Request;
use serde_json::{Value, json};

use super::{contract, deployed, outcome, template};

fn counted_by(request: &Request) -> Vec<String> {
    outcome(&deployed(), request).counted_by
}

#[test]
fn signed_requests_do_not_count_against_the_public_limit() {
    for route in contract() {
        let expected: &[&str] = match route.path.as_str() {
            path if path.starts_with("/reservations/") => &[],
            path if path.starts_with("/products/")
                || path.starts_with("/partner/")
                || path.starts_with("/webhooks") =>
            {
                &["rate-per-server"]
            }
            _ => &["rate-per-address"],
        };
        let counted = counted_by(&route.example_request().unwrap());
        assert_eq!(counted, expected, "{} {}", route.method, route.path);
    }
}

#[test]
fn neither_headers_nor_path_variants_bypass_a_limit() {
    let plain = Request::new("GET", "/v1/products");
    let forged = plain
        .clone()
        .with_header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIA/20261128/eu-central-1/execute-api/aws4_request",
        )
        .with_header("x-forwarded-for", "203.0.113.7")
        .with_header("user-agent", "serverless-orders/0.1.0 (reserve-inventory)")
        .with_header("x-api-key", "guessed");
    assert_eq!(counted_by(&plain), ["rate-per-address"]);
    assert_eq!(counted_by(&forged), ["rate-per-address"]);
    // Every path is counted by one of the two rules: by the public one unless it matches exactly.
    for path in [
        "/v1/reservations/../products",
        "/v1/reservations/%2e%2e/products",
        "/v1/products/..%2freservations%2f01937a5e",
        "/v1/products/../orders",
        "/v1/partner/../orders",
        "/v1/webhooks/..%2forders",
        "/v1/reservations",
        "/v1/reservations/",
        "/v1//reservations/01937a5e",
        "/V1/reservations/01937a5e",
        "/v1/reservations/01937a5e/commit/x",
        "/v1/reservations/01937a5e\n",
        "/",
        "",
    ] {
        assert_eq!(counted_by(&Request::new("GET", path)), ["rate-per-address"], "{path:?}");
    }
}

#[test]
fn rate_limits_use_the_source_address_of_the_connection() {
    for rule in deployed().rules {
        if let Statement::RateBasedStatement { aggregate_key_type, evaluation_window_sec, limit, .. } =
            &rule.statement
        {
            assert_eq!((aggregate_key_type.as_str(), *evaluation_window_sec), ("IP", 300), "{}", rule.name);
            let parameter = limit["Ref"].as_str().unwrap();
            assert!(template().parameter(parameter).is_object(), "{parameter}");
        }
    }
}

#[test]
fn the_rate_limit_is_above_the_usage_plan_of_a_partner() {
    let number = |name: &str| template().parameter(name)["Default"].as_u64().unwrap();
    let max_requests = 300 * number("PartnerRateLimit") + number("PartnerBurstLimit");
    assert!(
        max_requests < number("FirewallServerRateLimit"),
        "a partner can send {max_requests} requests in five minutes"
    );
}

#[test]
fn a_rate_limited_client_gets_429_with_retry_after() {
    let acl = deployed();
    for rule in ["rate-per-address", "rate-per-server"] {
        let (status, headers, body) = acl.custom_response(rule).unwrap();
        assert_eq!((status, body.content_type.as_str()), (429, "APPLICATION_JSON"));
        let seconds: u32 = headers["Retry-After"].parse().unwrap();
        assert!((1..=300).contains(&seconds));
        // Pages of any origin may read it: it contains no personal data.
        assert_eq!(headers["Access-Control-Allow-Origin"], "*");
        assert_eq!(headers["Access-Control-Expose-Headers"], "Retry-After");
        let problem: Value = serde_json::from_str(&body.content).unwrap();
        let kind = json!("urn:serverless-orders:problem:too-many-requests");
        assert_eq!((&problem["type"], &problem["status"]), (&kind, &json!(429)));
        assert!(problem["title"].is_string() && problem["detail"].is_string());
        // https://docs.aws.amazon.com/waf/latest/developerguide/limits.html
        assert!(body.content.len() <= 4096);
    }
}
