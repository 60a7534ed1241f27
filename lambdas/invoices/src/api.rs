//! `render-invoice`: the invoice of an order, as PDF or HTML.
//!
//! API Gateway decodes the Base64 response of a function only if the request's `Accept` header names a single
//! media type, which is one of the API's binary media types. For any other header, even `*/*`, the client
//! gets the Base64 text
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/lambda-proxy-binary-media.html>). With
//! `*/*` as a binary media type, clients would get the bytes, but all request bodies would arrive as Base64, a
//! third larger. So a client that accepts only `application/pdf` gets the bytes,
//! and a client that accepts anything is redirected to the same bytes in the bucket.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use domain::OrderId;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use platform::http::{
    Access, Caller, CustomerScope, Operation, Problem, Routes, Scope, parse_path_parameter,
};
use platform::objects::ObjectStore;
use sha2::{Digest, Sha256};

use crate::accept::DocumentFormat;
use crate::contract;
use crate::document::{load_or_render, object_key};
use crate::record::Invoice;
use crate::store::Invoices;

/// The lifetime of the URL of a PDF, which the client follows immediately.
const LINK_LIFETIME: Duration = Duration::from_secs(60);

/// The dependencies of the routes.
#[expect(missing_docs, reason = "the fields say it")]
pub struct Api {
    pub invoices: Arc<dyn Invoices>,
    /// The bucket of the documents.
    pub objects: Arc<dyn ObjectStore>,
}

/// Creates the router.
pub fn router(api: Api) -> Router {
    routes().router(Arc::new(api))
}

/// Returns the routes with their descriptions for the contract.
pub fn routes() -> Routes<Arc<Api>> {
    let read = Access::Scope(Scope::OrdersRead);
    let partner = Access::Partner(Scope::PartnerOrders);
    Routes::default()
        .add(Operation::get("/orders/{order_id}/invoice", "readInvoice", read, contract::describe), invoice)
        .add(
            Operation::get(
                "/partner/orders/{order_id}/invoice",
                "readPartnerInvoice",
                partner,
                contract::describe,
            ),
            invoice,
        )
}

async fn invoice(
    State(api): State<Arc<Api>>,
    Path(order): Path<String>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id: OrderId = parse_path_parameter("order_id", &order)?;
    tracing::Span::current().record("order_id", &order);
    let scope = CustomerScope::of_caller(&caller)?;
    let accept = header_text(&headers, &header::ACCEPT);
    let format = DocumentFormat::negotiate(accept).ok_or_else(|| {
        Problem::not_acceptable(
            "Invoices are available as application/pdf and text/html: accept one of them.",
        )
    })?;
    let found = api.invoices.get(id).await?.filter(|invoice| scope.includes(&invoice.buyer.id));
    let invoice = found.ok_or_else(|| {
        Problem::not_found(format!(
            "There is no invoice for order {id}. It is issued when the order is paid: get the order, and if \
             its status is paid, retry in a few seconds."
        ))
    })?;
    let body = load_or_render(&api.objects, &invoice, format).await?;
    let tag = entity_tag(&body);
    let mut response = if header_text(&headers, &header::IF_NONE_MATCH)
        .is_some_and(|sent| matches_tag(sent, &tag))
    {
        StatusCode::NOT_MODIFIED.into_response()
    } else if format == DocumentFormat::Pdf && !accept.is_some_and(accepts_only_pdf) {
        return redirect_to_pdf(&api, &invoice).await;
    } else {
        let (content_type, disposition) = match format {
            DocumentFormat::Pdf => ("application/pdf", "attachment"),
            DocumentFormat::Html => ("text/html; charset=utf-8", "inline"),
        };
        let name = match format {
            DocumentFormat::Pdf => format!("{disposition}; filename=\"{}.pdf\"", invoice.number),
            DocumentFormat::Html => format!("{disposition}; filename=\"{}.html\"", invoice.number),
        };
        // Text from an order can neither run scripts in the page nor load external resources.
        let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";
        let mut response = body.into_response();
        set_header(&mut response, header::CONTENT_TYPE, content_type);
        set_header(&mut response, header::CONTENT_DISPOSITION, &name);
        set_header(&mut response, header::CONTENT_SECURITY_POLICY, policy);
        set_header(&mut response, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        response
    };
    set_header(&mut response, header::ETAG, &tag);
    set_header(&mut response, header::VARY, "Accept");
    set_header(&mut response, header::CACHE_CONTROL, "private, no-cache");
    Ok(response)
}

/// Redirects the client to the PDF in the bucket.
async fn redirect_to_pdf(api: &Api, invoice: &Invoice) -> Result<Response, Problem> {
    let name = format!("{}.pdf", invoice.number);
    let link = api
        .objects
        .presigned_url(&object_key(invoice, DocumentFormat::Pdf), LINK_LIFETIME, Some(&name))
        .await?;
    let mut response = StatusCode::SEE_OTHER.into_response();
    set_header(&mut response, header::LOCATION, &link);
    set_header(&mut response, header::VARY, "Accept");
    set_header(&mut response, header::CACHE_CONTROL, "no-store");
    Ok(response)
}

fn header_text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn set_header(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Whether API Gateway will decode the PDF.
fn accepts_only_pdf(accept: &str) -> bool {
    let range = accept.split(';').next().unwrap_or_default();
    range.trim().eq_ignore_ascii_case(DocumentFormat::Pdf.media_type())
}

/// Returns an entity tag: 128 bits of the SHA-256 digest of the body.
fn entity_tag(body: &[u8]) -> String {
    format!("\"{}\"", hex::encode(&Sha256::digest(body)[..16]))
}

/// Whether an `If-None-Match` header matches `tag` (RFC 9110 §13.1.2).
fn matches_tag(sent: &str, tag: &str) -> bool {
    let matches = |sent: &str| {
        let sent = sent.trim();
        sent == "*" || sent.strip_prefix("W/").unwrap_or(sent) == tag
    };
    sent.split(',').any(matches)
}
