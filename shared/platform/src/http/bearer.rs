//! Verifies access tokens, for requests that do not come through API Gateway.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, header};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::access::Caller;
use super::problem::Problem;
use super::verified_email::VerifiedEmail;
use crate::clock::Clock;
use crate::http_client::HttpClient;
use crate::sync::lock;

/// The minimum time between two fetches of the keys because of an unknown key id, which any client can send.
const KEYS_REFRESH_INTERVAL: Duration = Duration::from_secs(60);
/// The tolerated clock skew in seconds.
const LEEWAY_SECONDS: i64 = 5;

/// Verifies the access tokens of one user pool
/// (<https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html>).
pub struct TokenVerifier {
    client: Arc<dyn HttpClient>,
    issuer: String,
    keys_url: String,
    clock: Arc<dyn Clock>,
    keys: Mutex<Option<Keys>>,
}

#[derive(Clone)]
struct Keys {
    set: Arc<JwkSet>,
    /// When the keys were fetched, as [`Clock::elapsed`].
    fetched: Duration,
}

impl TokenVerifier {
    /// A verifier for tokens of `issuer`, whose public keys (RFC 7517) are at `keys_url`.
    pub fn new(client: Arc<dyn HttpClient>, issuer: String, keys_url: String, clock: Arc<dyn Clock>) -> Self {
        Self { client, issuer, keys_url, clock, keys: Mutex::new(None) }
    }

    /// Identifies the caller from the request headers. A caller with an invalid token or without one is
    /// anonymous.
    ///
    /// # Errors
    /// When the keys cannot be fetched.
    pub async fn authenticate(&self, headers: &HeaderMap) -> anyhow::Result<Caller> {
        Ok(self.identify(headers).await?.0)
    }

    async fn identify(&self, headers: &HeaderMap) -> anyhow::Result<(Caller, VerifiedEmail)> {
        let Some(token) = token(headers) else { return Ok(Default::default()) };
        let Some(claims) = self.claims(token).await? else { return Ok(Default::default()) };
        Ok((Caller::from_claims(&claims).unwrap_or_default(), VerifiedEmail::from_claims(&claims)))
    }

    async fn claims(&self, token: &str) -> anyhow::Result<Option<Map<String, Value>>> {
        let Some(kid) = decode_header(token).ok().and_then(|header| header.kid) else { return Ok(None) };
        let keys = self.keys_with(&kid).await?;
        let Some(key) = keys.find(&kid).and_then(|key| DecodingKey::from_jwk(key).ok()) else {
            return Ok(None);
        };
        // Only this algorithm, whatever the token's header says (RFC 8725 §3.1).
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[&self.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        // Cognito's access tokens have scopes of a resource server instead of an audience. Times are checked
        // below, with our clock.
        validation.validate_aud = false;
        validation.validate_exp = false;
        let Ok(decoded) = decode::<Map<String, Value>>(token, &key, &validation) else { return Ok(None) };
        let now = self.clock.now().as_second();
        let time = |name: &str| decoded.claims.get(name).and_then(Value::as_i64);
        let is_valid = time("exp").is_some_and(|end| now < end.saturating_add(LEEWAY_SECONDS))
            && time("nbf").is_none_or(|start| start <= now.saturating_add(LEEWAY_SECONDS));
        Ok(is_valid.then_some(decoded.claims))
    }

    /// The keys, fetched again if they do not include `kid` and were not fetched recently.
    async fn keys_with(&self, kid: &str) -> anyhow::Result<Arc<JwkSet>> {
        let known = lock(&self.keys).clone();
        let now = self.clock.elapsed();
        if let Some(keys) = known
            && (keys.set.find(kid).is_some() || now.saturating_sub(keys.fetched) < KEYS_REFRESH_INTERVAL)
        {
            return Ok(keys.set);
        }
        let request = http::Request::get(&self.keys_url).body(Bytes::new())?;
        let response = self.client.send(request).await?;
        anyhow::ensure!(response.status().is_success(), "{} returned {}", self.keys_url, response.status());
        let set = Arc::new(serde_json::from_slice::<JwkSet>(response.body())?);
        *lock(&self.keys) = Some(Keys { set: Arc::clone(&set), fetched: now });
        Ok(set)
    }
}

/// The token of `Authorization: Bearer …`. The scheme may be missing, as API Gateway allows it as well.
fn token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim();
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Some(token.trim()),
        Some(_) => None,
        None => Some(value),
    }
}

/// Middleware that identifies the caller for the routes.
pub(crate) async fn authenticate(
    State(verifier): State<Arc<TokenVerifier>>,
    mut request: Request,
    next: Next,
) -> Response {
    match verifier.identify(request.headers()).await {
        Ok((caller, email)) => {
            request.extensions_mut().insert(caller);
            request.extensions_mut().insert(email);
            next.run(request).await
        }
        Err(error) => {
            Problem::from(error.context("the keys of the user pool could not be read")).into_response()
        }
    }
}
