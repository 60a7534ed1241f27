//! Requests to others, over the HTTP client that the AWS SDK brings, so that a function has one TLS stack and
//! one pool of connections.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};

/// How long to wait for a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Sends requests.
#[async_trait]
pub trait HttpClient: Send + Sync {
    /// Sends one request, once, and reads all of the answer. An answer of any status is an answer.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoAnswer>;
}

/// No answer came. Whether the request had its effect is not known.
#[derive(Debug, thiserror::Error)]
#[error("no answer from {host}: {source}")]
pub struct NoAnswer {
    /// Whom it was sent to.
    pub host: String,
    /// What went wrong.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}
