//! The body of a request: JSON of a known type, or a problem that names all that is wrong with it.

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use eserde::path::{Path, Segment};
use eserde::{DeserializationError, EDeserialize};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use serde_json::Value;

use super::problem::{FieldError, FieldLocation, Problem};
use crate::telemetry::redact_values;

/// The most bytes that a request may have. An order with all its lines has about 8 KB.
const MAX_BODY_BYTES: usize = 64 * 1024;

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

/// How many fields that are not known are looked for. Whoever sends more is told of the others next time.
const MAX_UNKNOWN_FIELDS: usize = 20;

/// Reads all of `bytes` as a `T`, or names each field that is wrong.
fn parse<T: for<'de> EDeserialize<'de>>(bytes: &[u8]) -> Result<T, Vec<FieldError>> {
    let mut errors = match read::<T>(bytes) {
        Ok(value) => return whole_object(bytes).map(|()| value),
        Err(errors) => errors,
    };
    // The parser leaves an object at the first field that it does not know. Each such field is taken out and the
    // rest read again, because more may be wrong with what stands behind it.
    let mut body: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let mut unknown = Vec::new();
    while unknown.len() < MAX_UNKNOWN_FIELDS {
        let Some(at) = errors.iter().position(|error| take_out_unknown(&mut body, error)) else { break };
        unknown.push(errors.swap_remove(at));
        errors = read::<T>(body.to_string().as_bytes()).err().unwrap_or_default();
    }
    unknown.append(&mut errors);
    Err(unknown)
}

/// What the parser leaves unseen in what it takes: a list, which serde reads as a struct, field by field; and what comes
/// behind the end.
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

const UNKNOWN: &str = "is not known here";

/// A missing field is told of the object that it is not in: it is named here as if it were there.
fn field_error(error: &DeserializationError) -> FieldError {
    let place = error.path().map(pointer).unwrap_or_default();
    let message = error.message();
    if let Some(field) = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        return FieldError::pointer(place + &token(field), "is missing");
    }
    if message.starts_with("unknown field") {
        return FieldError::pointer(place, UNKNOWN);
    }
    let message = redact_values(message);
    // The pointer says where; line and column are for what is no JSON at all.
    match message.split_once(" at line ") {
        Some((what, _)) if !place.is_empty() => FieldError::pointer(place, what),
        _ => FieldError::pointer(place, message),
    }
}

/// Takes the field that `error` is about out of `body`, if it is one that is not known.
fn take_out_unknown(body: &mut Value, error: &FieldError) -> bool {
    let FieldLocation::Pointer(pointer) = &error.location else { return false };
    let Some((parent, field)) = pointer.rsplit_once('/').filter(|_| error.detail == UNKNOWN) else {
        return false;
    };
    let field = field.replace("~1", "/").replace("~0", "~");
    let parent = body.pointer_mut(parent).and_then(Value::as_object_mut);
    parent.is_some_and(|fields| fields.remove(&field).is_some())
}

/// The path as a JSON Pointer (RFC 6901).
fn pointer(path: &Path) -> String {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Map { key } => Some(token(key)),
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Enum { .. } => None,
        })
        .collect()
}

/// A step of a JSON Pointer.
fn token(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// For the statuses other than 200.
impl<T: Serialize> Json<T> {
    /// The body with a status.
    pub fn with_status(self, status: StatusCode) -> Response {
        (status, self).into_response()
    }
}
