//! `serve-reference`: the API reference, as an OpenAPI document and as a page.

use std::sync::LazyLock;

use axum::Router;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{HeaderMap, StatusCode, header};
use platform::http::{Access, Operation, OperationDescription, Routes};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

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
            Operation::get("/openapi.json", "readContract", Access::Public, describe_document),
            openapi_document,
        )
        .add(Operation::get("/reference", "readReference", Access::Public, describe_page), reference_page)
}

const IF_NONE_MATCH: &str = "The `ETag` of your cached copy.";

fn describe_document(it: &mut OperationDescription) {
    it.about("Get the OpenAPI document", "This reference as an OpenAPI 3.1 document.")
        .header::<String>("If-None-Match", IF_NONE_MATCH)
        .response_as::<Map<String, Value>>(200, "application/json", "The OpenAPI document.")
        .with_header("ETag", "Changes when the document changes.")
        .with_header("Cache-Control", "How long the response may be cached.")
        .empty_response(304, "Your cached copy is current.");
}

fn describe_page(it: &mut OperationDescription) {
    it.about("Get the reference page", "This reference as an HTML page.")
        .header::<String>("If-None-Match", IF_NONE_MATCH)
        .response_as::<String>(200, "text/html", "The page.")
        .with_header("ETag", "Changes when the page changes.")
        .with_header("Cache-Control", "How long the response may be cached.")
        .empty_response(304, "Your cached copy is current.");
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
    respond(&headers, "text/html; charset=utf-8", REFERENCE_PAGE, &REFERENCE_PAGE_TAG)
}

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

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures::executor::block_on;
    use http::Request;
    use tower::ServiceExt;

    use super::*;

    fn get(path: &str, tag: Option<&str>) -> Response {
        let request = Request::get(path);
        let request = tag.into_iter().fold(request, |it, tag| it.header(header::IF_NONE_MATCH, tag));
        block_on(router().oneshot(request.body(Body::empty()).unwrap())).unwrap()
    }

    #[test]
    fn a_current_copy_is_not_sent_again() {
        for path in ["/openapi.json", "/reference"] {
            let first = get(path, None);
            assert_eq!(first.status(), StatusCode::OK);
            let tag = first.headers()[header::ETAG].to_str().unwrap();
            for known in [tag.to_owned(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
                assert_eq!(get(path, Some(&known)).status(), StatusCode::NOT_MODIFIED, "{known}");
            }
            assert_eq!(get(path, Some("\"x\"")).status(), StatusCode::OK);
        }
    }
}
