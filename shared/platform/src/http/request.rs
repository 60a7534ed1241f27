//! What surrounds every request: its correlation id, its log line, and what becomes of a panic.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::{Cause, CorrelationId};
use futures::FutureExt;
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use tracing::Instrument;
use tracing::field::Empty;

use super::problem::{FieldError, Problem};
use crate::clock::{Clock, timeout};
use crate::host::record::panic_message;

const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// When a request is given up, with an answer that says so: before the function's 10 seconds are over, and before a
/// function that called it gives up.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(7);

/// What set this request off: the correlation id that the client sent in `X-Correlation-Id`, or a new one.
#[derive(Debug, Clone)]
pub struct RequestCause(
    /// The cause of what the request leads to.
    pub Cause,
);

impl<S: Send + Sync> FromRequestParts<S> for RequestCause {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::internal)
    }
}

/// The gateway's ids of a request, as its access log has them. Each log line of the request carries them, so that a
/// correlation id finds the request in the access log too, which cannot have a client's `X-Correlation-Id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayRequestId {
    /// `$context.requestId`: the correlation id where the client sent none. The gateway takes a UUID that a client sends
    /// in `x-amzn-RequestId` for it
    /// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-access-logging.html>).
    pub id: String,
    /// `$context.extendedRequestId`: one that no client can choose. The client gets it as `x-amz-apigw-id`.
    pub extended_id: Option<String>,
}

/// Middleware: gives the request its correlation id and the answer too, writes one log line, and turns a panic
/// into a 500 that the client can read.
pub async fn observe(State(clock): State<Arc<dyn Clock>>, mut request: Request, next: Next) -> Response {
    let start = clock.elapsed();
    let cause = cause(&request, clock.as_ref());
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "(none)".to_owned(), |path| path.as_str().to_owned());
    // At the highest level: a filter that keeps a warning has to keep what it is about.
    let span = tracing::error_span!(
        "request",
        correlation_id = cause.correlation_id.as_str(),
        event_type = format!("{method} {route}"),
        attempt = 1,
        order_id = Empty,
        gateway_request_id = Empty,
        gateway_extended_request_id = Empty
    );
    if let Some(gateway) = request.extensions().get::<GatewayRequestId>() {
        span.record("gateway_request_id", &gateway.id);
        if let Some(extended_id) = &gateway.extended_id {
            span.record("gateway_extended_request_id", extended_id);
        }
    }
    request.extensions_mut().insert(RequestCause(cause.clone()));
    let work = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone());
    let mut response = match timeout(clock.as_ref(), REQUEST_TIMEOUT, work).await {
        Some(answered) => answered.unwrap_or_else(|panic| span.in_scope(|| panic_response(panic.as_ref()))),
        None => Problem::unavailable().into_response(),
    };
    if response.status().is_client_error() && response.extensions().get::<Problem>().is_none() {
        response = unreadable(response).await.into_response();
    }
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let allow = response.headers_mut().remove(http::header::ALLOW);
        response = problem.with_correlation_id(cause.correlation_id.as_str()).into_response();
        if let Some(allow) = allow {
            response.headers_mut().insert(http::header::ALLOW, allow);
        }
    }
    if let Ok(id) = HeaderValue::from_str(cause.correlation_id.as_str()) {
        response.headers_mut().insert(CORRELATION_ID, id);
    }
    span.in_scope(|| {
        let status = response.status();
        let duration_ms =
            u64::try_from(clock.elapsed().saturating_sub(start).as_millis()).unwrap_or(u64::MAX);
        let outcome = if status.is_server_error() {
            "retry"
        } else if status.is_client_error() {
            "reject"
        } else {
            "ok"
        };
        tracing::info!(status = status.as_u16(), outcome, duration_ms, "handled");
    });
    response
}

/// What `axum` refuses itself, such as a path that is no UTF-8 or a parameter that comes twice: it says why in
/// plain text.
async fn unreadable(response: Response) -> Problem {
    let why = axum::body::to_bytes(response.into_body(), 1024).await.unwrap_or_default();
    Problem::unreadable(&String::from_utf8_lossy(&why))
}

fn panic_response(panic: &(dyn Any + Send)) -> Response {
    tracing::error!(panic = panic_message(panic), "the handler panicked");
    Problem::internal().into_response()
}

fn cause(request: &Request, clock: &dyn Clock) -> Cause {
    let text = |name: &HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let gateways = request.extensions().get::<GatewayRequestId>();
    let sent = text(&CORRELATION_ID)
        .and_then(|id| CorrelationId::from_str(id).ok())
        .or_else(|| CorrelationId::from_str(&gateways?.id).ok());
    // A UUID is a correlation id; the fallback keeps this total.
    let fresh = || CorrelationId::from_str(&clock.new_id().to_string());
    Cause {
        correlation_id: sent
            .map_or_else(fresh, Ok)
            .unwrap_or_else(|_| unreachable!("a UUID is a correlation id")),
        causation_id: None,
        traceparent: text(&HeaderName::from_static("traceparent"))
            .filter(|text| is_traceparent(text))
            .map(str::to_owned),
    }
}

/// `00-<32 hex>-<16 hex>-<2 hex>` (W3C Trace Context §3.2).
fn is_traceparent(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [2, 32, 16, 2] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// A part of the path, or a problem that names it.
///
/// # Errors
/// A 400 with what is wrong with it.
pub fn parse_path_parameter<T: FromStr<Err: std::fmt::Display>>(name: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error| Problem::invalid(vec![FieldError::parameter(name, error)]))
}
