//! The verified email address of a user.

use axum::extract::FromRequestParts;
use domain::EmailAddress;
use http::request::Parts;
use serde_json::{Map, Value};

use super::problem::Problem;

/// The claim of an access token with the email address of the user. `grant-scopes` adds it if the user has proved
/// to receive email there: Cognito has `email` and `email_verified` in ID tokens only.
pub const VERIFIED_EMAIL_CLAIM: &str = "verified_email";

/// The verified email address of the account of a user, if their token has one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifiedEmail(pub Option<EmailAddress>);

impl VerifiedEmail {
    /// Reads the claims of a verified token.
    pub fn from_claims(claims: &Map<String, Value>) -> Self {
        let email = claims.get(VERIFIED_EMAIL_CLAIM).and_then(Value::as_str);
        Self(email.and_then(|email| email.parse().ok()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for VerifiedEmail {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}
