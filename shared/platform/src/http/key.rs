//! The header `Idempotency-Key`, with which a client marks a request as a retry of an earlier one.

use http::HeaderMap;
use schemars::JsonSchema;

use super::problem::{FieldError, Problem};

const NAME: &str = "Idempotency-Key";
/// The same maximum as Stripe's (<https://docs.stripe.com/api/idempotent_requests>).
const MAX_LENGTH: usize = 255;

/// A key that the client chose for its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
pub struct IdempotencyKey<'a>(#[schemars(length(min = 1, max = 255), regex(pattern = r"^[!-~]+$"))] &'a str);

impl<'a> IdempotencyKey<'a> {
    /// Reads the key from `headers`, together with the parsed body, so that one problem lists the errors of
    /// both. `resource` is what the request creates, such as `order`.
    ///
    /// # Errors
    /// A 400 with all errors of the key and the body.
    pub fn from_headers_and_body<T>(
        headers: &'a HeaderMap,
        resource: &str,
        body: Result<T, Problem>,
    ) -> Result<(Self, T), Problem> {
        match (Self::read(headers, resource), body) {
            (Ok(key), Ok(body)) => Ok((key, body)),
            (Err(error), Err(problem)) if !problem.errors().is_empty() => {
                Err(Problem::invalid([vec![error], problem.errors().to_vec()].concat()))
            }
            (_, Err(problem)) => Err(problem),
            (Err(error), Ok(_)) => Err(Problem::invalid(vec![error])),
        }
    }

    fn read(headers: &'a HeaderMap, resource: &str) -> Result<Self, FieldError> {
        let key = headers.get(NAME).ok_or_else(|| {
            let why = format!(
                "is missing: send a new key, such as a UUID, with each new {resource}, and the same key with each retry"
            );
            FieldError::header(NAME, why)
        })?;
        let is_valid = |key: &&str| {
            (1..=MAX_LENGTH).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
        };
        key.to_str().ok().filter(is_valid).map(Self).ok_or_else(|| {
            let why = format!("must have 1 to {MAX_LENGTH} printable ASCII characters without spaces");
            FieldError::header(NAME, why)
        })
    }

    /// The key as text.
    pub fn as_str(self) -> &'a str {
        self.0
    }
}
