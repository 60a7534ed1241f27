//! JSON request bodies. A problem lists every error in the body.

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use eserde::path::{Path, Segment};
use eserde::{DeserializationError, EDeserialize};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use serde_json::Value;

use super::problem::{FieldError, FieldLocation, Problem};
use crate::redact::redact_values;

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

fn is_json(headers: &HeaderMap) -> bool {
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// The maximum number of unknown fields that one problem reports.
const MAX_UNKNOWN_FIELDS: usize = 20;

/// Parses all of `bytes` as a `T`, or lists every invalid field.
fn parse<T: for<'de> EDeserialize<'de>>(bytes: &[u8]) -> Result<T, Vec<FieldError>> {
    let mut errors = match read::<T>(bytes) {
        Ok(value) => return whole_object(bytes).map(|()| value),
        Err(errors) => errors,
    };
    // The parser stops at the first unknown field of an object. Such a field is removed and the rest is
    // parsed again, to find the errors behind it.
    let mut body: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let mut unknown = Vec::new();
    while unknown.len() < MAX_UNKNOWN_FIELDS {
        let Some(index) = errors.iter().position(|error| remove_unknown_field(&mut body, error)) else {
            break;
        };
        unknown.push(errors.swap_remove(index));
        errors = read::<T>(body.to_string().as_bytes()).err().unwrap_or_default();
    }
    unknown.append(&mut errors);
    Err(unknown)
}

/// Checks what the parser does not: that the body is an object, since serde also reads a list as a struct,
/// and that nothing follows it.
fn whole_object(bytes: &[u8]) -> Result<(), Vec<FieldError>> {
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(vec![FieldError::pointer("", "must be an object")]);
    }
    let all = serde_json::from_slice::<serde::de::IgnoredAny>(bytes);
    all.map(drop).map_err(|error| vec![FieldError::pointer("", redact_values(&error.to_string()))])
}

fn read<T: for<'de> EDeserialize<'de>>(bytes: &[u8]) -> Result<T, Vec<FieldError>> {
    eserde::json::from_slice(bytes).map_err(|errors| errors.iter().map(field_error).collect())
}

const UNKNOWN: &str = "is not a known field";

/// Converts an error of the parser. The parser reports a missing field at its parent object: here the pointer
/// names the field itself.
fn field_error(error: &DeserializationError) -> FieldError {
    let location = error.path().map(pointer).unwrap_or_default();
    let message = error.message();
    if let Some(field) = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        return FieldError::pointer(location + &token(field), "is missing");
    }
    if message.starts_with("unknown field") {
        return FieldError::pointer(location, UNKNOWN);
    }
    let message = redact_values(message);
    // With a pointer, line and column are redundant. They only help if the body is not JSON.
    match message.split_once(" at line ") {
        Some((what, _)) if !location.is_empty() => FieldError::pointer(location, what),
        _ => FieldError::pointer(location, message),
    }
}

/// Removes the field of `error` from `body` if it is an unknown one. Returns whether it was removed.
fn remove_unknown_field(body: &mut Value, error: &FieldError) -> bool {
    let FieldLocation::Pointer(pointer) = &error.location else { return false };
    let Some((parent, field)) = pointer.rsplit_once('/').filter(|_| error.detail == UNKNOWN) else {
        return false;
    };
    let field = field.replace("~1", "/").replace("~0", "~");
    let parent = body.pointer_mut(parent).and_then(Value::as_object_mut);
    parent.is_some_and(|fields| fields.remove(&field).is_some())
}

/// Converts a path to a JSON Pointer (RFC 6901).
fn pointer(path: &Path) -> String {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Map { key } => Some(token(key)),
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Enum { .. } => None,
        })
        .collect()
}

/// A reference token of a JSON Pointer, with its slash.
fn token(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

impl<T: Serialize> Json<T> {
    /// A response with this body and a status other than 200.
    pub fn with_status(self, status: StatusCode) -> Response {
        (status, self).into_response()
    }
}
