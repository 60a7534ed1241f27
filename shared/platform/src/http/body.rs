//! The body of a request: JSON of a known type, or a problem that names all that is wrong with it.

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use eserde::EDeserialize;
use eserde::path::{Path, Segment};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;

use super::problem::{FieldError, Problem};
use crate::telemetry::without_values;

/// The most bytes that a request may have. An order with all its lines has about 8 KB.
const LARGEST_BODY: usize = 64 * 1024;

/// A JSON body, read from a request or written to a response.
#[derive(Debug)]
pub struct Json<T>(
    /// What it says.
    pub T,
);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => {
                tracing::error!(%error, "an answer could not be written");
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
        let bytes = axum::body::to_bytes(request.into_body(), LARGEST_BODY)
            .await
            .map_err(|_| Problem::too_large(LARGEST_BODY))?;
        parse(&bytes).map(Self).map_err(Problem::invalid)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// Reads all of `bytes` as a `T`, or names each field that is wrong.
fn parse<T: for<'de> EDeserialize<'de>>(bytes: &[u8]) -> Result<T, Vec<FieldError>> {
    eserde::json::from_slice(bytes).map_err(|errors| {
        errors
            .iter()
            .map(|error| {
                FieldError::pointer(
                    error.path().map(pointer).unwrap_or_default(),
                    without_values(error.message()),
                )
            })
            .collect()
    })
}

/// The path as a JSON Pointer (RFC 6901).
fn pointer(path: &Path) -> String {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Map { key } => Some(format!("/{}", key.replace('~', "~0").replace('/', "~1"))),
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Enum { .. } => None,
        })
        .collect()
}

/// For the statuses other than 200.
impl<T: Serialize> Json<T> {
    /// The body with a status.
    pub fn with(self, status: StatusCode) -> Response {
        (status, self).into_response()
    }
}
