//! Access to invoices, and content negotiation.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use domain::OrderId;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use invoices::api::{Api, router};
use platform::EventHandler;
use platform::host::http::build_app;
use platform::http::testing::set_caller;
use platform::http::{Caller, Scope};
use platform::memory::Bucket;
use platform::objects::{Object, ObjectStore};
use tower::ServiceExt;

use crate::support::{Shop, id, tea};

struct Service {
    shop: Shop,
    files: Arc<Bucket>,
}

struct ApiResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl ApiResponse {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Service {
    async fn with_invoice() -> Self {
        let shop = Shop::at("2026-11-23T11:00:00Z");
        shop.issuer().handle(&tea(id(1))).await.unwrap();
        Self { shop, files: Arc::default() }
    }

    async fn get(&self, caller: &Caller, order: OrderId, headers: &[(&str, &str)]) -> ApiResponse {
        let is_partner =
            matches!(caller, Caller::Machine { scopes, .. } if scopes.contains(Scope::PartnerOrders));
        let prefix = if is_partner { "/partner" } else { "" };
        let mut request = Request::get(format!("{prefix}/orders/{order}/invoice"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        set_caller(&mut request, caller.clone());
        let api = Api { invoices: self.shop.invoices.clone(), objects: self.files.clone() };
        let response = build_app(router(api), self.shop.clock.clone()).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        ApiResponse {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }
}

fn user(id: &str, is_staff: bool) -> Caller {
    Caller::User { id: id.parse().unwrap(), is_staff, scopes: [Scope::OrdersRead].into_iter().collect() }
}

fn ada() -> Caller {
    user("ada", false)
}

const PDF: (&str, &str) = ("accept", "application/pdf");
const PAGE: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

#[tokio::test]
async fn the_same_order_always_gives_the_same_bytes() {
    let service = Service::with_invoice().await;
    let first = service.get(&ada(), id(1), &[PDF]).await;
    assert_eq!((first.status, first.header("content-type")), (StatusCode::OK, "application/pdf"));
    assert!(first.body.starts_with(b"%PDF-1.7"), "{:?}", first.body.get(..8));
    assert_eq!(first.header("content-disposition"), "attachment; filename=\"2026-000001.pdf\"");
    assert_eq!((first.header("vary"), first.header("cache-control")), ("Accept", "private, no-cache"));
    let again = service.get(&ada(), id(1), &[PDF]).await;
    assert_eq!((&again.body, again.header("etag")), (&first.body, first.header("etag")));
    // After the stored document is deleted, it is rendered to the same bytes.
    for key in service.files.keys() {
        service.files.delete(&key).await.unwrap();
    }
    assert_eq!(service.get(&ada(), id(1), &[PDF]).await.body, first.body);
}

#[tokio::test]
async fn a_document_rendered_by_an_earlier_release_is_kept() {
    let service = Service::with_invoice().await;
    service.get(&ada(), id(1), &[PDF]).await;
    let key = service.files.keys().remove(0);
    assert_eq!(key, format!("invoices/2026/2026-000001.{}.pdf", id(1)));
    let old =
        Object { key, content_type: "application/pdf".to_owned(), body: Bytes::from_static(b"%PDF-1.4 old") };
    service.files.write(old).await.unwrap();
    assert_eq!(service.get(&ada(), id(1), &[PDF]).await.body, "%PDF-1.4 old");
}

#[tokio::test]
async fn a_document_that_another_request_stores_meanwhile_is_returned() {
    let service = Service::with_invoice().await;
    service.get(&ada(), id(1), &[PDF]).await;
    let key = service.files.keys().remove(0);
    let other = Object {
        key: key.clone(),
        content_type: "application/pdf".to_owned(),
        body: Bytes::from_static(b"%PDF-1.4 of another release"),
    };
    service.files.write(other.clone()).await.unwrap();
    // The first look finds nothing yet.
    service.files.missed_reads.fail_next(1);
    assert_eq!(service.get(&ada(), id(1), &[PDF]).await.body, other.body);
    assert_eq!(service.files.get(&key), Some(other), "it is not replaced");
}

#[tokio::test]
async fn a_browser_gets_the_page() {
    let service = Service::with_invoice().await;
    let page = service.get(&ada(), id(1), &[PAGE]).await;
    assert_eq!((page.status, page.header("content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
    assert_eq!(page.header("content-disposition"), "inline; filename=\"2026-000001.html\"");
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(text.contains("Rechnung 2026-000001") && text.contains("64,99\u{a0}€"), "{text}");
    assert_ne!(page.header("etag"), service.get(&ada(), id(1), &[PDF]).await.header("etag"));
}

#[tokio::test]
async fn a_client_that_accepts_anything_is_redirected_to_the_pdf() {
    let service = Service::with_invoice().await;
    for headers in [&[][..], &[("accept", "*/*")], &[("accept", "text/html;q=0.5, application/pdf")]] {
        let response = service.get(&ada(), id(1), headers).await;
        assert_eq!(
            (response.status, response.header("cache-control")),
            (StatusCode::SEE_OTHER, "no-store"),
            "{headers:?}"
        );
        assert!(response.header("location").contains("2026-000001"), "{}", response.header("location"));
        assert!(response.body.is_empty());
    }
    assert_eq!(service.files.keys().len(), 1, "the redirect target exists");
    let neither = service.get(&ada(), id(1), &[("accept", "application/json")]).await;
    assert_eq!(neither.status, StatusCode::NOT_ACCEPTABLE);
}

#[tokio::test]
async fn a_matching_etag_gets_not_modified() {
    let service = Service::with_invoice().await;
    let tag = service.get(&ada(), id(1), &[PDF]).await.header("etag").to_owned();
    for sent in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
        let response = service.get(&ada(), id(1), &[PDF, ("if-none-match", &sent)]).await;
        assert_eq!((response.status, response.header("etag")), (StatusCode::NOT_MODIFIED, tag.as_str()));
        assert!(response.body.is_empty());
    }
    assert_eq!(service.get(&ada(), id(1), &[PDF, ("if-none-match", "\"x\"")]).await.status, StatusCode::OK);
    assert_eq!(service.get(&ada(), id(1), &[PAGE, ("if-none-match", &tag)]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn other_customers_cannot_tell_whether_an_invoice_exists() {
    let service = Service::with_invoice().await;
    let partner = |id: &str| Caller::Machine {
        id: id.parse().unwrap(),
        scopes: [Scope::PartnerOrders].into_iter().collect(),
    };
    let hidden = service.get(&user("eve", false), id(1), &[PDF]).await;
    let absent = service.get(&ada(), id(2), &[PDF]).await;
    assert_eq!((hidden.status, absent.status), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
    let detail = String::from_utf8_lossy(&absent.body).into_owned();
    assert!(detail.contains("issued when the order is paid"), "{detail}");
    assert_eq!(service.get(&partner("p"), id(1), &[PDF]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(service.files.keys().len(), 0, "no document was rendered for them");
    assert_eq!(service.get(&user("boss", true), id(1), &[PDF]).await.status, StatusCode::OK);
    assert_eq!(service.get(&Caller::Anonymous, id(1), &[PDF]).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_document_that_cannot_be_stored_is_not_returned() {
    let service = Service::with_invoice().await;
    service.files.failures.fail_next(1);
    assert_eq!(service.get(&ada(), id(1), &[PDF]).await.status, StatusCode::SERVICE_UNAVAILABLE);
    service.shop.invoices.failures.fail_next(1);
    assert_eq!(service.get(&ada(), id(1), &[PDF]).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(service.get(&ada(), id(1), &[PDF]).await.status, StatusCode::OK);
}

/// A failure that the same request meets again is not a 503, after which clients repeat it.
#[tokio::test]
async fn a_document_that_cannot_be_rendered_is_an_internal_error() {
    let shop = Shop::at("-000001-06-01T00:00:00Z");
    shop.issuer().handle(&tea(id(1))).await.unwrap();
    let service = Service { shop, files: Arc::default() };
    let response = service.get(&ada(), id(1), &[PDF]).await;
    assert_eq!(response.status, StatusCode::INTERNAL_SERVER_ERROR, "a PDF has no dates before our era");
    assert_eq!(response.header("retry-after"), "");
    assert!(service.files.keys().is_empty());
}
