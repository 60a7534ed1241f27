//! JSON bodies of requests and responses. A problem lists every error in the body of a request.

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use eserde::EDeserialize;
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;

use super::json::parse;
use super::problem::Problem;

/// The maximum size of a request body. An order with the maximum number of lines has about 8 KB.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// A JSON body, read from a request or written to a response.
#[derive(Debug)]
pub struct Json<T>(
    /// The deserialized body.
    pub T,
);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => {
                tracing::error!(%error, "a response could not be serialized");
                Problem::internal().into_response()
            }
        }
    }
}

impl<S: Send + Sync, T: for<'de> EDeserialize<'de>> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::unsupported_media_type());
        }
        let bytes = axum::body::to_bytes(request.into_body(), MAX_BODY_BYTES)
            .await
            .map_err(|_| Problem::too_large(MAX_BODY_BYTES))?;
        parse(&bytes).map(Self).map_err(Problem::invalid)
    }
}

/// Whether the body is uncompressed JSON in UTF-8, the only encoding of JSON (RFC 8259 §8.1). The media type
/// has no parameter `charset`, but many clients send it: any value other than UTF-8 says that the body is not
/// JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = text(header::CONTENT_TYPE).split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let mut charsets = parts
        .filter_map(|part| part.split_once('='))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .map(|(_, value)| value.trim().trim_matches('"'));
    let coding = text(header::CONTENT_ENCODING).trim();
    media_type.eq_ignore_ascii_case("application/json")
        && charsets.all(|it| it.eq_ignore_ascii_case("utf-8") || it.eq_ignore_ascii_case("utf8"))
        && (coding.is_empty() || coding.eq_ignore_ascii_case("identity"))
}

impl<T: Serialize> Json<T> {
    /// A response with this body and a status other than 200.
    pub fn with_status(self, status: StatusCode) -> Response {
        (status, self).into_response()
    }
}
