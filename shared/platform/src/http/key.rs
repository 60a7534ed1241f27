//! `Idempotency-Key`: how a client says that a request is the one that it sent before.

use http::HeaderMap;
use schemars::JsonSchema;

use super::problem::{FieldError, Problem};

const NAME: &str = "Idempotency-Key";
/// As long as Stripe takes them to be (<https://docs.stripe.com/api/idempotent_requests>).
const MAX_LENGTH: usize = 255;

/// A key that a client chose for its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
pub struct IdempotencyKey<'a>(#[schemars(length(min = 1, max = 255), regex(pattern = r"^[!-~]+$"))] &'a str);

impl<'a> IdempotencyKey<'a> {
    /// The key in `headers`, and the body that came with it. Both are looked at before either is answered, so that a
    /// client learns of all that is wrong at once. `made` is what the request makes, such as `order`.
    ///
    /// # Errors
    /// All that is wrong with either.
    pub fn from_headers_and_body<T>(
        headers: &'a HeaderMap,
        made: &str,
        body: Result<T, Problem>,
    ) -> Result<(Self, T), Problem> {
        match (Self::read(headers, made), body) {
            (Ok(key), Ok(body)) => Ok((key, body)),
            (Err(error), Err(problem)) if !problem.errors().is_empty() => {
                Err(Problem::invalid([vec![error], problem.errors().to_vec()].concat()))
            }
            (_, Err(problem)) => Err(problem),
            (Err(error), Ok(_)) => Err(Problem::invalid(vec![error])),
        }
    }

    fn read(headers: &'a HeaderMap, made: &str) -> Result<Self, FieldError> {
        let key = headers.get(NAME).ok_or_else(|| {
            let why = format!(
                "is missing: send a new key, such as a UUID, with each new {made}, and the same again when you try again"
            );
            FieldError::header(NAME, why)
        })?;
        let good = |key: &&str| {
            (1..=MAX_LENGTH).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
        };
        key.to_str().ok().filter(good).map(Self).ok_or_else(|| {
            let why = format!("must have 1 to {MAX_LENGTH} printable ASCII characters without spaces");
            FieldError::header(NAME, why)
        })
    }

    /// The key itself.
    pub fn as_str(self) -> &'a str {
        self.0
    }
}
