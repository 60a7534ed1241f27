//! Middleware around every request: correlation id, timeout, log line and panic handling.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::{Cause, CorrelationId};
use futures::FutureExt;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method};
use tracing::Instrument;
use tracing::field::Empty;

use super::problem::{FieldError, Problem};
use crate::clock::{Clock, timeout};
use crate::failure::panic_message;
use crate::trace::{self, Attribute, SpanKind, is_traceparent};

const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// The timeout of a request, after which the response is a 503. It is below the function's timeout of 10
/// seconds, and below the timeout of functions that call this API.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(7);

/// The cause of this request, with the correlation id that the client sent in `X-Correlation-Id`, or a new
/// one.
#[derive(Debug, Clone)]
pub struct RequestCause(
    /// The cause of the events that result from the request.
    pub Cause,
);

impl<S: Send + Sync> FromRequestParts<S> for RequestCause {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::internal)
    }
}

/// The ids of a request in API Gateway's access log. Each log line of the request carries them, so that a
/// request can be found in the access log by its correlation id: the access log cannot contain a client's
/// `X-Correlation-Id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayRequestId {
    /// `$context.requestId`, the correlation id if the client sent none. API Gateway accepts a UUID from the
    /// client in `x-amzn-RequestId`
    /// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-access-logging.html>).
    pub id: String,
    /// `$context.extendedRequestId`, which a client cannot choose and receives as `x-amz-apigw-id`.
    pub extended_id: Option<String>,
}

/// Middleware that adds the correlation id to the request and the response, writes one log line, and turns a
/// panic into a 500 problem.
pub async fn observe(State(clock): State<Arc<dyn Clock>>, mut request: Request, next: Next) -> Response {
    let start = clock.elapsed();
    let mut cause = cause(&request, clock.as_ref());
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "(none)".to_owned(), |path| path.as_str().to_owned());
    let server = server_span(&request, &method, cause.traceparent.as_deref());
    cause.traceparent = server.traceparent();
    // At level `error`, so that a filter that keeps a warning also keeps the fields of its span.
    let span = tracing::error_span!(
        "request",
        correlation_id = cause.correlation_id.as_str(),
        event_type = format!("{method} {route}"),
        attempt = 1,
        order_id = Empty,
        gateway_request_id = Empty,
        gateway_extended_request_id = Empty,
        trace_id = Empty,
        span_id = Empty
    );
    server.record_ids(&span);
    if let Some(gateway) = request.extensions().get::<GatewayRequestId>() {
        span.record("gateway_request_id", &gateway.id);
        if let Some(extended_id) = &gateway.extended_id {
            span.record("gateway_extended_request_id", extended_id);
        }
    }
    request.extensions_mut().insert(RequestCause(cause.clone()));
    let work = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone());
    let work = server.around(work);
    let mut response = match timeout(clock.as_ref(), REQUEST_TIMEOUT, work).await {
        Some(result) => result.unwrap_or_else(|panic| span.in_scope(|| panic_response(panic.as_ref()))),
        None => Problem::unavailable().into_response(),
    };
    if response.status().is_client_error() && response.extensions().get::<Problem>().is_none() {
        response = rejection_problem(response).await.into_response();
    }
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let allow = response.headers_mut().remove(http::header::ALLOW);
        response = problem.with_correlation_id(cause.correlation_id.as_str()).into_response();
        if let Some(allow) = allow {
            response.headers_mut().insert(http::header::ALLOW, allow);
        }
    }
    // The problem was serialized again, behind axum, which removes the body of a response to HEAD.
    if method == Method::HEAD {
        response = response.map(|_| Body::empty());
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
        server.set("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            server.fail("retry");
        }
        tracing::info!(status = status.as_u16(), outcome, duration_ms, "handled");
    });
    drop(server);
    trace::export();
    response
}

/// Converts a rejection by `axum`, such as a path that is not UTF-8 or a duplicate parameter. Its body is the
/// reason in plain text.
async fn rejection_problem(response: Response) -> Problem {
    let reason = axum::body::to_bytes(response.into_body(), 1024).await.unwrap_or_default();
    Problem::unreadable(&String::from_utf8_lossy(&reason))
}

fn panic_response(panic: &(dyn Any + Send)) -> Response {
    tracing::error!(panic = panic_message(panic), "the handler panicked");
    Problem::internal().into_response()
}

fn cause(request: &Request, clock: &dyn Clock) -> Cause {
    let text = |name: &HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let gateway = request.extensions().get::<GatewayRequestId>();
    let sent = text(&CORRELATION_ID)
        .and_then(|id| CorrelationId::from_str(id).ok())
        .or_else(|| CorrelationId::from_str(&gateway?.id).ok());
    // A UUID is always a valid correlation id.
    let new_id = || CorrelationId::from_str(&clock.new_id().to_string());
    Cause {
        correlation_id: sent
            .map_or_else(new_id, Ok)
            .unwrap_or_else(|_| unreachable!("a UUID is a valid correlation id")),
        causation_id: None,
        traceparent: text(&HeaderName::from_static("traceparent"))
            .filter(|text| is_traceparent(text))
            .map(str::to_owned),
    }
}

/// The span of a request: a child of the caller's, or the start of a trace.
fn server_span(request: &Request, method: &Method, traceparent: Option<&str>) -> trace::Span {
    let route = request.extensions().get::<MatchedPath>();
    let name = route.map_or_else(|| "(none)".to_owned(), |route| route.as_str().to_owned());
    let name = format!("{} {name}", trace::method_name(method));
    let span = trace::span(SpanKind::Server, name)
        .child_of(traceparent)
        .with("http.request.method", trace::method_name(method))
        .with("faas.trigger", "http")
        .with_some("http.route", route.map(Attribute::route));
    span.start()
}

/// Parses the path parameter `name`.
///
/// # Errors
/// A 400 that names the parameter and says what is wrong with it.
pub fn parse_path_parameter<T: FromStr<Err: std::fmt::Display>>(
    name: &str,
    text: &str,
) -> Result<T, Problem> {
    text.parse().map_err(|error| Problem::invalid(vec![FieldError::parameter(name, error)]))
}
