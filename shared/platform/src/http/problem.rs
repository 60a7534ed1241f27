//! Errors as a client reads them: `application/problem+json` (RFC 9457).

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

/// A problem. Says what is wrong and what to do.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Problem(Box<Content>);

#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
struct Content {
    /// Names the kind of problem, for programs. Does not change.
    #[serde(rename = "type")]
    kind: String,
    /// What kind of problem it is, for people.
    title: &'static str,
    /// The same as that of the answer.
    #[serde(serialize_with = "as_number")]
    #[schemars(with = "u16")]
    status: StatusCode,
    /// What is wrong this time, and what to do.
    detail: String,
    /// Each thing that is wrong with the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// Names this request in the logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
    /// `Retry-After`, `WWW-Authenticate`: what belongs to the problem beside its body.
    #[serde(skip)]
    header: Option<(HeaderName, HeaderValue)>,
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FieldError {
    /// Where: a JSON Pointer (RFC 6901) into the body, or the name of a header or parameter.
    #[serde(flatten)]
    pub location: FieldLocation,
    /// What is wrong with it.
    pub detail: String,
}

/// Where something is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldLocation {
    /// In the body.
    Pointer(String),
    /// In a header.
    Header(String),
    /// In the path or the query.
    Parameter(String),
}

fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl FieldError {
    /// Something in the body.
    pub fn pointer(pointer: impl Into<String>, detail: impl ToString) -> Self {
        Self { location: FieldLocation::Pointer(pointer.into()), detail: detail.to_string() }
    }
    /// Something in a header.
    pub fn header(name: &str, detail: impl ToString) -> Self {
        Self { location: FieldLocation::Header(name.to_owned()), detail: detail.to_string() }
    }
    /// Something in the path or the query.
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

    /// 400: these things are wrong with the request.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.len() {
            1 => "One thing is wrong with the request: see errors.".to_owned(),
            n => format!("{n} things are wrong with the request: see errors."),
        };
        let title = "The request is not valid";
        let mut problem = Self::new(StatusCode::BAD_REQUEST, "invalid-request", title, detail);
        problem.0.errors = errors;
        problem
    }

    /// 400: path or query cannot be read.
    pub(crate) fn unreadable(why: &str) -> Self {
        let title = "The path or the query cannot be read";
        Self::new(StatusCode::BAD_REQUEST, "unreadable-address", title, why)
    }

    /// 401: nobody knows who this is (RFC 6750 §3).
    ///
    /// Behind API Gateway a client gets the challenge as `x-amzn-Remapped-WWW-Authenticate`: the gateway renames the
    /// header `WWW-Authenticate` of every integration. The gateway's own 401 keeps its name.
    pub fn unauthorized() -> Self {
        let detail = "Send an access token that is still good, as Authorization: Bearer <token>.";
        let mut problem = Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Not signed in", detail);
        problem.0.header = Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        problem
    }

    /// 403: the token is good, but not for this (RFC 6750 §3.1). The challenge is renamed as that of
    /// [`unauthorized`](Self::unauthorized); `type` and `detail` say the same in the body.
    pub fn insufficient_scope(scope: &'static str) -> Self {
        let detail = format!("The access token lacks the scope {scope}.");
        let title = "The token is not good for this";
        let mut problem = Self::new(StatusCode::FORBIDDEN, "insufficient-scope", title, detail);
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
        problem.0.header =
            HeaderValue::try_from(challenge).ok().map(|value| (header::WWW_AUTHENTICATE, value));
        problem
    }

    /// 403: not for this caller, whatever they send.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Forbidden", detail)
    }

    /// 404: no such thing.
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", what)
    }

    /// 405: the path has no such method.
    pub fn method_not_allowed() -> Self {
        let detail = "This path does not have this method; the header Allow names those that it has.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed", detail)
    }

    /// 409: not as things stand. `name` tells programs why.
    pub fn conflict(name: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, name, title, detail)
    }

    /// 406: it is not there in a form that the client takes (RFC 9110 §15.5.7).
    pub fn not_acceptable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_ACCEPTABLE, "not-acceptable", "Not there in a form that you take", detail)
    }

    /// 412: it changed since the client looked at it (RFC 9110 §13.1).
    pub fn precondition_failed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "precondition-failed", "Changed in between", detail)
    }

    /// 413: larger than `most` bytes.
    pub fn too_large(most: usize) -> Self {
        let detail = format!("The body may have at most {most} bytes.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large", detail)
    }

    /// 415: no JSON.
    pub fn unsupported_media_type() -> Self {
        let detail = "Send JSON, with the header Content-Type: application/json.";
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "Unsupported media type",
            detail,
        )
    }

    /// 422: well-formed, but the same idempotency key was used for something else.
    pub fn idempotency_key_reused() -> Self {
        let detail = "This Idempotency-Key was used for another request. Use a new key for a new request.";
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency-key-reused",
            "Idempotency-Key reused",
            detail,
        )
    }

    /// 503: something that is needed does not answer. Nothing was lost; the same request may work later.
    pub fn unavailable() -> Self {
        let detail =
            "Something that is needed for this did not answer. Send the same request again in a moment.";
        let title = "Not available at the moment";
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", title, detail);
        problem.0.header = Some((header::RETRY_AFTER, HeaderValue::from(1)));
        problem
    }

    /// 503: the shop as a whole does not do what it should.
    pub fn unhealthy(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unhealthy", "Something does not work", detail)
    }

    /// 500: a bug.
    pub(crate) fn internal() -> Self {
        let detail = "This is a bug in the service. The correlation id helps to find it.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", detail)
    }

    /// The status that it is answered with.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// What is wrong, part by part.
    pub fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    pub(super) fn with_correlation_id(mut self, id: &str) -> Self {
        self.0.correlation_id = Some(id.to_owned());
        self
    }
}

/// A call that failed is a 503, told in the log and not to the client.
impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Self {
        tracing::error!(error = %format!("{error:#}"), "a call failed");
        Self::unavailable()
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
        // `observe` writes it again, with the correlation id that it alone knows.
        response.extensions_mut().insert(self);
        response
    }
}
