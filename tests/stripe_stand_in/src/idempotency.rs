//! Idempotency keys: <https://docs.stripe.com/api/idempotent_requests>.
//!
//! The response to the first request with a key is saved, whatever it is, once the endpoint has begun. A
//! request that is rejected before that (invalid parameters, no API key, too many requests, a key in use)
//! saves nothing.

use std::collections::HashMap;

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::{Result, StripeError};

/// How long a key is kept. Stripe guarantees at least this.
pub const KEY_RETENTION: SignedDuration = SignedDuration::from_hours(24);
/// The maximum length of a key, in characters.
pub const MAX_KEY_CHARS: usize = 255;

/// Identifies a request: two requests with the same fingerprint are the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The path of the request.
    pub path: String,
    /// The parameters, sorted.
    pub parameters: String,
}

/// A saved response, to be replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedResponse {
    /// The HTTP status.
    pub status: u16,
    /// The body, byte for byte.
    pub body: String,
    /// `Request-Id` of the first request.
    pub request_id: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    fingerprint: Fingerprint,
    #[serde(rename = "answer")]
    response: SavedResponse,
    at: Timestamp,
}

/// The idempotency keys of an account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Keys {
    saved: IndexMap<String, Entry>,
    #[serde(skip)]
    in_flight: HashMap<String, Fingerprint>,
}

impl Keys {
    /// Returns the response to replay for this key, or `None` if the request is new.
    ///
    /// # Errors
    /// 400 when the key is too long or was used for a different request; 409 when it is in use.
    pub fn look_up(
        &self,
        key: &str,
        fingerprint: &Fingerprint,
        now: Timestamp,
    ) -> Result<Option<SavedResponse>> {
        if key.chars().count() > MAX_KEY_CHARS {
            let message = format!("Idempotency key is too long (maximum is {MAX_KEY_CHARS} characters).");
            return Err(StripeError::invalid(message));
        }
        if self.in_flight.contains_key(key) {
            return Err(StripeError::key_in_use());
        }
        let Some(entry) = self.saved.get(key).filter(|entry| now.duration_since(entry.at) < KEY_RETENTION)
        else {
            return Ok(None);
        };
        let used = &entry.fingerprint;
        let advice =
            format!("Try using a key other than '{key}' if you meant to execute a different request.");
        if used.path != fingerprint.path {
            return Err(StripeError::idempotency(format!(
                "Keys for idempotent requests can only be used for the same endpoint they were first used for ('{}' vs '{}'). {advice}",
                fingerprint.path, used.path
            )));
        }
        if used.parameters != fingerprint.parameters {
            return Err(StripeError::idempotency(format!(
                "Keys for idempotent requests can only be used with the same parameters they were first used with. {advice}"
            )));
        }
        Ok(Some(entry.response.clone()))
    }

    /// Marks the key as in use until [`Keys::save`].
    pub fn begin(&mut self, key: &str, fingerprint: Fingerprint) {
        self.in_flight.insert(key.to_owned(), fingerprint);
    }

    /// Saves the response to the request that [`Keys::begin`] was called for.
    pub fn save(&mut self, key: &str, response: SavedResponse, now: Timestamp) {
        if let Some(fingerprint) = self.in_flight.remove(key) {
            self.saved.retain(|_, entry| now.duration_since(entry.at) < KEY_RETENTION);
            self.saved.insert(key.to_owned(), Entry { fingerprint, response, at: now });
        }
    }

    /// Deletes this key, or all of them, as Stripe does with keys that are at least 24 hours old. Returns the
    /// number of deleted keys. A request in progress keeps its key until it completes.
    pub fn forget(&mut self, key: Option<&str>) -> usize {
        let before = self.saved.len();
        self.saved.retain(|saved, _| key.is_some_and(|key| key != saved));
        before - self.saved.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(parameters: &str) -> Fingerprint {
        Fingerprint { path: "/v1/payment_intents".to_owned(), parameters: parameters.to_owned() }
    }

    fn response() -> SavedResponse {
        SavedResponse { status: 200, body: "{}".to_owned(), request_id: "req_1".to_owned() }
    }

    #[test]
    fn a_key_expires_after_24_hours() {
        let start = Timestamp::UNIX_EPOCH;
        let mut keys = Keys::default();
        keys.begin("k", request("a=1"));
        keys.save("k", response(), start);
        let just_before = start + KEY_RETENTION - SignedDuration::from_secs(1);
        assert_eq!(keys.look_up("k", &request("a=1"), just_before).unwrap(), Some(response()));
        // After that, a different request can use the key.
        assert_eq!(keys.look_up("k", &request("a=2"), start + KEY_RETENTION).unwrap(), None);
    }

    #[test]
    fn a_key_in_use_is_rejected_until_its_response_is_saved() {
        let now = Timestamp::UNIX_EPOCH;
        let mut keys = Keys::default();
        keys.begin("k", request("a=1"));
        assert_eq!(keys.look_up("k", &request("a=1"), now).unwrap_err().status, 409);
        keys.save("k", response(), now);
        assert_eq!(keys.look_up("k", &request("a=1"), now).unwrap(), Some(response()));
    }

    #[test]
    fn deleting_a_key_keeps_the_others() {
        let now = Timestamp::UNIX_EPOCH;
        let mut keys = Keys::default();
        for key in ["one", "two", "three"] {
            keys.begin(key, request("a=1"));
            keys.save(key, response(), now);
        }
        assert_eq!(keys.forget(Some("one")), 1);
        assert_eq!(keys.look_up("one", &request("a=1"), now).unwrap(), None);
        assert!(keys.look_up("two", &request("a=1"), now).unwrap().is_some());
        assert_eq!(keys.forget(None), 2);
    }
}
