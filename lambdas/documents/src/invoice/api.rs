//! `render-invoice`: the invoice of an order, as a PDF or a page.
//!
//! API Gateway turns the Base64 of a function's answer back into bytes only where the request's `Accept` names a binary
//! media type of the API by itself; anything else, even `*/*`, gets the Base64
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/lambda-proxy-binary-media.html>). `*/*` as a binary media
//! type would change that, and have the bodies of all requests come as Base64, past the models that check them. So who asks
//! for `application/pdf` gets the bytes at once, and who takes anything gets the address of the same bytes in the bucket.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use domain::OrderId;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use platform::http::{
    Access, Caller, CustomerScope, Operation, OperationDescription, Problem, Routes, Scope,
    parse_path_parameter,
};
use platform::objects::ObjectStore;
use schemars::JsonSchema;
use sha2::{Digest, Sha256};

use super::accept::DocumentFormat;
use super::document::{load_or_render, object_key};
use super::record::Invoice;
use super::store::Invoices;

/// How long the address of a PDF is good: for who follows it at once.
const LINK_LIFETIME: Duration = Duration::from_secs(60);

/// What the routes work on.
pub struct Api {
    /// The invoices.
    pub invoices: Arc<dyn Invoices>,
    /// Where their documents are kept.
    pub objects: Arc<dyn ObjectStore>,
}

/// The routes.
pub fn router(api: Api) -> Router {
    routes().router(Arc::new(api))
}

/// The routes, and what the contract says of them.
pub fn routes() -> Routes<Arc<Api>> {
    let read = Access::Scope(Scope::OrdersRead);
    let partner = Access::Partner(Scope::PartnerOrders);
    Routes::default()
        .add(Operation::get("/orders/{order_id}/invoice", "readInvoice", read, describe), invoice)
        .add(
            Operation::get("/partner/orders/{order_id}/invoice", "readPartnerInvoice", partner, describe),
            invoice,
        )
}

/// What the contract says of `If-None-Match`.
#[derive(JsonSchema)]
#[schemars(inline)]
pub struct EntityTags(#[schemars(length(min = 1, max = 1000))] pub String);

/// What the contract says of a document.
#[derive(JsonSchema)]
#[schemars(inline)]
pub struct Document(pub String);

fn describe(it: &mut OperationDescription) {
    it.about(
        "Read an order's invoice",
        "There is one soon after the order is paid; it never changes, and neither does a byte of it. \
         `Accept: application/pdf` gives the PDF, `Accept: text/html` the page. Who takes anything is sent to where the \
         PDF can be fetched for a minute (303).",
    )
    .path::<OrderId>("order_id", "The order: the `id` that placing it was answered with.")
    .header::<EntityTags>("If-None-Match", "The `ETag` of the document that you have: answered with a 304 if it is that one.")
    .response_as::<Document>(200, "application/pdf", "The invoice.")
    .with_header("ETag", "Names the document's bytes, for `If-None-Match`.")
    .with_header("Content-Disposition", "The name to save it under: the invoice's number.")
    .response_as::<Document>(200, "text/html", "The invoice as a page.")
    .empty_response(303, "The PDF is at `Location`, for a minute. No token is needed there.")
    .with_header("Location", "Where the PDF is.")
    .empty_response(304, "You have it already.")
    .problem(404, "not-found", "You have no such order, or it has no invoice yet: it is not paid, or was paid just now.")
    .problem(406, "not-acceptable", "It is neither a PDF nor a page that you take.");
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
            "An invoice is there as application/pdf and as text/html: send Accept with one of them.",
        )
    })?;
    let found = api.invoices.get(id).await?.filter(|invoice| scope.includes(&invoice.buyer.id));
    let invoice = found.ok_or_else(|| {
        Problem::not_found(format!(
            "There is no invoice for order {id}. It is issued when the order is paid: read the order, and where its status is \
             paid, ask again in a few seconds."
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
        // Nothing that stands in an order runs in the page, or brings anything from elsewhere.
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

/// Sends the client to where the PDF is.
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

/// Whether the gateway will give the PDF as bytes.
fn accepts_only_pdf(accept: &str) -> bool {
    let range = accept.split(';').next().unwrap_or_default();
    range.trim().eq_ignore_ascii_case(DocumentFormat::Pdf.media_type())
}

/// 128 bits of the SHA-256 of the bytes.
fn entity_tag(body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

/// Whether an `If-None-Match` names `tag` (RFC 9110 §13.1.2).
fn matches_tag(sent: &str, tag: &str) -> bool {
    let matches = |sent: &str| {
        let sent = sent.trim();
        sent == "*" || sent.strip_prefix("W/").unwrap_or(sent) == tag
    };
    sent.split(',').any(matches)
}
