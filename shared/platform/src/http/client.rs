//! Requests to others, over the HTTP client that the AWS SDK brings, so that a function has one TLS stack and
//! one pool of connections.

use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};

/// How long to wait for a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Sends requests.
#[async_trait]
pub trait HttpClient: Send + Sync {
    /// Sends one request, once, and reads all of the answer. An answer of any status is an answer.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoResponse>;
}

/// No answer came. Whether the request had its effect is not known.
#[derive(Debug, thiserror::Error)]
#[error("no answer from {host}: {source}")]
pub struct NoResponse {
    /// Whom it was sent to.
    pub host: String,
    /// What went wrong.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// The function whose requests these are.
static FUNCTION: OnceLock<&'static str> = OnceLock::new();
/// The product and its version, as RFC 9110 (10.1.5) has them.
const PRODUCT: &str = concat!("serverless-orders/", env!("CARGO_PKG_VERSION"));

/// Names the function in the `User-Agent` of all requests from here on. The first name stays.
pub fn set_function_name(name: &'static str) {
    let _ = FUNCTION.set(name);
}

/// The `User-Agent` of this program: `serverless-orders/0.1.0 (reserve-inventory)`, without the function where
/// [`set_function_name`] named none.
pub fn user_agent() -> HeaderValue {
    let whole = FUNCTION.get().map(|function| format!("{PRODUCT} ({function})"));
    whole.and_then(|whole| whole.try_into().ok()).unwrap_or(HeaderValue::from_static(PRODUCT))
}

/// The request with a `User-Agent`: the caller's own, or else [`user_agent`]. AWS WAF's common rule set refuses requests
/// without one (`NoUserAgent_HEADER`), so every client sends through here.
pub fn with_user_agent<T>(mut request: Request<T>) -> Request<T> {
    request.headers_mut().entry(header::USER_AGENT).or_insert_with(user_agent);
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_who_sends_it() {
        let ours = with_user_agent(Request::new(()));
        let sent = ours.headers()[header::USER_AGENT].to_str().unwrap();
        assert!(sent.starts_with("serverless-orders/0.1.0"), "{sent}");
        let theirs = Request::builder().header(header::USER_AGENT, "Stripe/1.0").body(()).unwrap();
        assert_eq!(with_user_agent(theirs).headers()[header::USER_AGENT], "Stripe/1.0");
    }
}
