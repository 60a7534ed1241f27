//! Error responses: `application/problem+json` (RFC 9457).

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

use crate::optimistic::WriteConflicts;

/// The maximum number of errors that a problem lists. A body of the maximum size can have 30,000, and the
/// response would be larger than what Lambda may return.
pub(super) const MAX_ERRORS: usize = 100;

/// An error response, which says what is wrong and what to do about it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Problem(Box<Content>);

#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
struct Content {
    /// Identifies the type of the problem for programs. It never changes.
    #[serde(rename = "type")]
    kind: String,
    /// A summary of the type of the problem for users.
    title: &'static str,
    /// The same as the status of the response.
    #[serde(serialize_with = "as_number")]
    #[schemars(with = "u16")]
    status: StatusCode,
    /// What is wrong with this request, and what to do about it.
    detail: String,
    /// All errors in the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// Identifies this request in the logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
    /// A header of the response, `Retry-After` or `WWW-Authenticate`.
    #[serde(skip)]
    header: Option<(HeaderName, HeaderValue)>,
}

/// One error in a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FieldError {
    /// The location of the error: a JSON Pointer (RFC 6901) into the body, or the name of a header or
    /// parameter.
    #[serde(flatten)]
    pub location: FieldLocation,
    /// What is wrong, and what is expected instead.
    pub detail: String,
}

/// The location of an error in a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldLocation {
    /// A JSON Pointer into the body.
    Pointer(String),
    /// The name of a header.
    Header(String),
    /// The name of a parameter of the path or the query.
    Parameter(String),
}

fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl FieldError {
    /// An error in the body.
    pub fn pointer(pointer: impl Into<String>, detail: impl ToString) -> Self {
        Self { location: FieldLocation::Pointer(pointer.into()), detail: detail.to_string() }
    }
    /// An error in a header.
    pub fn header(name: &str, detail: impl ToString) -> Self {
        Self { location: FieldLocation::Header(name.to_owned()), detail: detail.to_string() }
    }
    /// An error in the path or the query.
    pub fn parameter(name: &str, detail: impl ToString) -> Self {
        Self { location: FieldLocation::Parameter(name.to_owned()), detail: detail.to_string() }
    }
}

impl Problem {
    fn new(status: StatusCode, name: &str, title: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Content {
            kind: format!("urn:serverless-orders:problem:{name}"),
            title,
            status,
            detail: detail.into(),
            errors: Vec::new(),
            correlation_id: None,
            header: None,
        }))
    }

    /// 400: the request has these errors, of which the first `MAX_ERRORS` are listed.
    pub fn invalid(mut errors: Vec<FieldError>) -> Self {
        let detail = match errors.len() {
            1 => "The request has 1 error: see errors.".to_owned(),
            n if n > MAX_ERRORS => {
                format!("The request has {n} errors: errors lists the first {MAX_ERRORS}.")
            }
            n => format!("The request has {n} errors: see errors."),
        };
        errors.truncate(MAX_ERRORS);
        let title = "The request is not valid";
        let mut problem = Self::new(StatusCode::BAD_REQUEST, "invalid-request", title, detail);
        problem.0.errors = errors;
        problem
    }

    /// 400: the path or the query cannot be parsed.
    pub(crate) fn unreadable(why: &str) -> Self {
        let title = "The path or the query cannot be parsed";
        Self::new(StatusCode::BAD_REQUEST, "unreadable-address", title, why)
    }

    /// 401: the caller is not authenticated (RFC 6750 §3).
    ///
    /// API Gateway renames the header `WWW-Authenticate` of every integration, so a client receives the
    /// challenge as `x-amzn-Remapped-WWW-Authenticate`. The gateway's own 401 keeps the name.
    pub fn unauthorized() -> Self {
        let detail = "Send a valid access token in the header Authorization: Bearer <token>.";
        let mut problem = Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Not signed in", detail);
        problem.0.header = Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        problem
    }

    /// 403: the token lacks a scope (RFC 6750 §3.1). API Gateway renames the challenge like that of
    /// [`unauthorized`](Self::unauthorized); `type` and `detail` in the body contain the same information.
    pub fn insufficient_scope(scope: &'static str) -> Self {
        let detail = format!("The access token lacks the scope {scope}.");
        let title = "Insufficient scope";
        let mut problem = Self::new(StatusCode::FORBIDDEN, "insufficient-scope", title, detail);
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
        problem.0.header =
            HeaderValue::try_from(challenge).ok().map(|value| (header::WWW_AUTHENTICATE, value));
        problem
    }

    /// 403: the caller lacks the permission, regardless of the request.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Forbidden", detail)
    }

    /// 404: the resource does not exist.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    /// 405: the path does not support the method.
    pub fn method_not_allowed() -> Self {
        let detail = "This path does not support this method: the header Allow lists the supported ones.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed", detail)
    }

    /// 409: the state of the resource does not allow the request. `name` is the end of the problem's `type`.
    pub fn conflict(name: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, name, title, detail)
    }

    /// 406: the resource has no representation that the client accepts (RFC 9110 §15.5.7).
    pub fn not_acceptable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_ACCEPTABLE, "not-acceptable", "Not acceptable", detail)
    }

    /// 412: the resource has changed since the client read it (RFC 9110 §13.1).
    pub fn precondition_failed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "precondition-failed", "Precondition failed", detail)
    }

    /// 413: the body has more than `max_bytes`.
    pub fn too_large(max_bytes: usize) -> Self {
        let detail = format!("The body may have at most {max_bytes} bytes.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large", detail)
    }

    /// 415: the body is not JSON.
    pub fn unsupported_media_type() -> Self {
        let detail = "Send JSON in UTF-8, uncompressed, with the header Content-Type: application/json.";
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "Unsupported media type",
            detail,
        )
    }

    /// 422: the idempotency key was used for another request.
    pub fn idempotency_key_reused() -> Self {
        let detail = "This Idempotency-Key was used for another request. Use a new key for a new request.";
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency-key-reused",
            "Idempotency-Key reused",
            detail,
        )
    }

    /// 429: the caller has reached a limit of the service (RFC 6585 §4), and may send the same request again after
    /// `retry_after` seconds. `name` is the end of the problem's `type`.
    pub fn too_many_requests(
        name: &'static str,
        title: &'static str,
        detail: impl Into<String>,
        retry_after: u64,
    ) -> Self {
        let mut problem = Self::new(StatusCode::TOO_MANY_REQUESTS, name, title, detail);
        problem.0.header = Some((header::RETRY_AFTER, HeaderValue::from(retry_after)));
        problem
    }

    /// 503: a dependency does not respond. The same request may succeed later.
    pub fn unavailable() -> Self {
        let detail = "A required service did not respond. Send the same request again later.";
        let title = "Service unavailable";
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", title, detail);
        problem.0.header = Some((header::RETRY_AFTER, HeaderValue::from(1)));
        problem
    }

    /// 503: the health check of the shop failed.
    pub fn unhealthy(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unhealthy", "Unhealthy", detail)
    }

    /// 500: a bug in the service, which the same request meets again.
    pub fn internal() -> Self {
        let detail = "This is a bug in the service. The correlation id helps to find it.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", detail)
    }

    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// All errors in the request.
    pub fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    pub(super) fn with_correlation_id(mut self, id: &str) -> Self {
        self.0.correlation_id = Some(id.to_owned());
        self
    }
}

/// A failed call is a 503. Its cause is logged and not returned to the client.
impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Self {
        tracing::error!(error = %format!("{error:#}"), "a call failed");
        Self::unavailable()
    }
}

/// A 503, like a failed call: the same request may succeed later.
impl From<WriteConflicts> for Problem {
    fn from(error: WriteConflicts) -> Self {
        anyhow::Error::from(error).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.0.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some((name, value)) = self.0.header.clone() {
            headers.insert(name, value);
        }
        // `observe` serializes the problem again with the correlation id, which is not known here.
        response.extensions_mut().insert(self);
        response
    }
}
