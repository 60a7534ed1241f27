//! Requests as a gateway passes them on, for tests.

use http::{HeaderValue, Request};

use super::access::Caller;
use super::api_keys::KEY_SECRET_LENGTH;

/// Gives a request this caller, as a gateway that has authenticated them does, and an API key of theirs.
pub fn set_caller<B>(request: &mut Request<B>, caller: Caller) {
    if let Caller::User { id, .. } | Caller::Machine { id, .. } = &caller
        && let Ok(key) = HeaderValue::from_str(&format!("{id}{}", "0".repeat(KEY_SECRET_LENGTH)))
    {
        request.headers_mut().insert("x-api-key", key);
    }
    request.extensions_mut().insert(caller);
}
