//! Tests of the page, its policy and its cache headers.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use axum::body::{Body, to_bytes};
use axum::response::Response;
use futures::executor::block_on;
use http::{Request, StatusCode, header};
use reference::api::router;
use tower::ServiceExt;

fn get(path: &str, tag: Option<&str>) -> Response {
    let request = Request::get(path);
    let request = tag.into_iter().fold(request, |it, tag| it.header(header::IF_NONE_MATCH, tag));
    block_on(router().oneshot(request.body(Body::empty()).unwrap())).unwrap()
}

#[test]
fn the_page_needs_no_more_than_its_policy_allows() {
    let response = get("/reference", None);
    let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    let page = block_on(to_bytes(response.into_body(), usize::MAX)).unwrap();
    let page = str::from_utf8(&page).unwrap();
    assert_eq!(page.matches("<style").count(), 1, "the policy has the hash of one style sheet");
    for forbidden in ["<script", "<link", "<img", "<iframe", " style=", " src=", " onclick="] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert_eq!(get("/openapi.json", None).headers().get(header::CONTENT_SECURITY_POLICY), None);
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
