//! `serve-reference`: the API reference, as an OpenAPI document and as a page.

use std::sync::LazyLock;

use axum::Router;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, StatusCode, header};
use platform::http::{Access, Operation, Routes};
use sha2::{Digest, Sha256};

use crate::contract;

const OPENAPI_DOCUMENT: &str = include_str!("../../../docs/openapi.json");
const REFERENCE_PAGE: &str = include_str!("../../../docs/reference.html");

/// The cache lifetime: a cached copy may be this much older than the API.
const CACHE_CONTROL: &str = "public, max-age=300";

/// Builds the router of the API.
pub fn router() -> Router {
    routes().router(())
}

/// The routes, with their descriptions for the OpenAPI document.
pub fn routes() -> Routes<()> {
    Routes::default()
        .add(
            Operation::get("/openapi.json", "readContract", Access::Public, contract::describe_document),
            openapi_document,
        )
        .add(
            Operation::get("/reference", "readReference", Access::Public, contract::describe_page),
            reference_page,
        )
}

static OPENAPI_DOCUMENT_TAG: LazyLock<String> = LazyLock::new(|| etag(OPENAPI_DOCUMENT));
static REFERENCE_PAGE_TAG: LazyLock<String> = LazyLock::new(|| etag(REFERENCE_PAGE));

fn etag(text: &str) -> String {
    format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(text)))
}

async fn openapi_document(headers: HeaderMap) -> Response {
    respond(&headers, "application/json", OPENAPI_DOCUMENT, &OPENAPI_DOCUMENT_TAG)
}

async fn reference_page(headers: HeaderMap) -> Response {
    let policy = [(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY.as_str())];
    (policy, respond(&headers, "text/html; charset=utf-8", REFERENCE_PAGE, &REFERENCE_PAGE_TAG))
        .into_response()
}

/// Allows the style sheet in the page, by its hash, and nothing else (<https://www.w3.org/TR/CSP3/>).
static CONTENT_SECURITY_POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = REFERENCE_PAGE.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>"));
    let hash = BASE64_STANDARD.encode(Sha256::digest(style.map_or("", |(style, _)| style)));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// Responds with `text`, or with 304 if the client has a current copy.
fn respond(headers: &HeaderMap, media_type: &'static str, text: &'static str, tag: &str) -> Response {
    let known_tags =
        headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // An intermediate cache may have weakened the tag (RFC 9110 §8.8.1).
    let is_current =
        known_tags.split(',').map(str::trim).any(|it| it == "*" || it.trim_start_matches("W/") == tag);
    let cache_headers = [(header::ETAG, tag), (header::CACHE_CONTROL, CACHE_CONTROL)];
    if is_current {
        return (StatusCode::NOT_MODIFIED, cache_headers).into_response();
    }
    (cache_headers, [(header::CONTENT_TYPE, media_type)], text).into_response()
}
