//! `serve-reference`: the contract of the API, for people and for programs.

use std::sync::LazyLock;

use axum::Router;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{HeaderMap, StatusCode, header};
use platform::http::{Access, Operation, OperationDescription, Routes};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

const CONTRACT: &str = include_str!("../../../docs/openapi.json");
const PAGE: &str = include_str!("../../../docs/reference.html");

/// How long a client need not ask again: what it has may be that much older than the API.
const FRESH: &str = "public, max-age=300";

/// The routes.
pub fn router() -> Router {
    routes().router(())
}

/// The routes, and what the contract says of them.
pub fn routes() -> Routes<()> {
    Routes::default()
        .add(Operation::get("/openapi.json", "readContract", Access::Public, about_contract), contract)
        .add(Operation::get("/reference", "readReference", Access::Public, about_page), page)
}

const HAVE_IT: &str = "The `ETag` of what you have.";

fn about_contract(it: &mut OperationDescription) {
    it.about("Read this contract", "An OpenAPI 3.1 document.")
        .header::<String>("If-None-Match", HAVE_IT)
        .response_as::<Map<String, Value>>(200, "application/json", "The contract.")
        .with_header("ETag", "Changes when the contract does.")
        .with_header("Cache-Control", "How long it is fresh.")
        .empty_response(304, "It is what you have.");
}

fn about_page(it: &mut OperationDescription) {
    it.about("Read the reference", "This contract as a page.")
        .header::<String>("If-None-Match", HAVE_IT)
        .response_as::<String>(200, "text/html", "The page.")
        .with_header("ETag", "Changes when the page does.")
        .with_header("Cache-Control", "How long it is fresh.")
        .empty_response(304, "It is what you have.");
}

static CONTRACT_TAG: LazyLock<String> = LazyLock::new(|| tag(CONTRACT));
static PAGE_TAG: LazyLock<String> = LazyLock::new(|| tag(PAGE));

fn tag(text: &str) -> String {
    format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(text)))
}

async fn contract(headers: HeaderMap) -> Response {
    answer(&headers, "application/json", CONTRACT, &CONTRACT_TAG)
}

async fn page(headers: HeaderMap) -> Response {
    answer(&headers, "text/html; charset=utf-8", PAGE, &PAGE_TAG)
}

/// `text`, or 304 for a client that has it.
fn answer(headers: &HeaderMap, media_type: &'static str, text: &'static str, tag: &str) -> Response {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // A cache on the way may have made the tag a weak one (RFC 9110 §8.8.1).
    let has_it = known.split(',').map(str::trim).any(|it| it == "*" || it.trim_start_matches("W/") == tag);
    let about = [(header::ETAG, tag), (header::CACHE_CONTROL, FRESH)];
    if has_it {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    (about, [(header::CONTENT_TYPE, media_type)], text).into_response()
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
    fn whoever_has_it_is_not_sent_it_again() {
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
