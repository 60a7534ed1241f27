//! HTTP requests over the client of the AWS SDK, so that a function has one TLS stack and one connection
//! pool.

use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};

/// The connect timeout.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A client that sends HTTP requests.
#[async_trait]
pub trait HttpClient: Send + Sync {
    /// Sends a request once and reads the whole response. A response of any status is a success.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoResponse>;
}

/// No response was received. The request may have had its effect.
#[derive(Debug, thiserror::Error)]
#[error("no response from {host}: {source}")]
pub struct NoResponse {
    /// The host that the request was sent to.
    pub host: String,
    /// The cause, such as a refused connection or a timeout.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// The name of this function.
static FUNCTION: OnceLock<&'static str> = OnceLock::new();
/// The product and its version (RFC 9110 §10.1.5).
const PRODUCT: &str = concat!("serverless-orders/", env!("CARGO_PKG_VERSION"));

/// Sets the function name in the `User-Agent` of all further requests. Only the first call has an effect.
pub fn set_function_name(name: &'static str) {
    let _ = FUNCTION.set(name);
}

/// The `User-Agent` of this program, such as `serverless-orders/0.1.0 (reserve-inventory)`. The function is
/// omitted if [`set_function_name`] has not been called.
pub fn user_agent() -> HeaderValue {
    let whole = FUNCTION.get().map(|function| format!("{PRODUCT} ({function})"));
    whole.and_then(|whole| whole.try_into().ok()).unwrap_or(HeaderValue::from_static(PRODUCT))
}

/// Adds [`user_agent`] to a request that has no `User-Agent`. The common rule set of AWS WAF blocks requests
/// without one (`NoUserAgent_HEADER`), so every client uses this function.
pub fn with_user_agent<T>(mut request: Request<T>) -> Request<T> {
    request.headers_mut().entry(header::USER_AGENT).or_insert_with(user_agent);
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_gets_a_user_agent_unless_it_has_one() {
        let ours = with_user_agent(Request::new(()));
        let sent = ours.headers()[header::USER_AGENT].to_str().unwrap();
        assert!(sent.starts_with("serverless-orders/0.1.0"), "{sent}");
        let theirs = Request::builder().header(header::USER_AGENT, "Stripe/1.0").body(()).unwrap();
        assert_eq!(with_user_agent(theirs).headers()[header::USER_AGENT], "Stripe/1.0");
    }
}
