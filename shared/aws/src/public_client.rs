//! A client for URLs supplied by clients, which only connects to the public internet.

use std::error::Error as StdError;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::uri::Scheme;
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper_util::client::legacy::connect::dns::Name;
use tokio::time::{Instant, timeout_at};

use crate::connector::{BoxError, Connector, machine_roots};
use crate::http_client::exchange;
use platform::http_client::{HttpClient, NoResponse};
use platform::net::{LocalReceiver, is_public};

/// The connect timeout. It is longer than that for AWS because other servers are further away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The maximum number of bytes that are read of a response body. The rest is discarded.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// A client for URLs supplied by clients: HTTPS on public addresses only ([`is_public`]). The rule is checked
/// on the addresses that are connected to, so DNS rebinding cannot bypass it. Redirects are returned, not
/// followed.
#[derive(Debug, Clone)]
pub struct PublicClient {
    connector: Connector,
    timeout: Duration,
    exempt: Option<LocalReceiver>,
}

impl PublicClient {
    /// A client whose requests time out after `timeout`. `exempt` may be called as well, and over plain HTTP.
    pub fn new(timeout: Duration, exempt: Option<LocalReceiver>) -> Self {
        let connector = Connector::with_resolver(machine_roots(), CONNECT_TIMEOUT, PublicResolver);
        Self { connector, timeout, exempt }
    }

    /// Checks the scheme, and an IP address in the URL, which is connected to without the resolver.
    fn check(&self, uri: &Uri) -> Result<(), Unreachable> {
        let host = uri.host().unwrap_or_default();
        if self.exempt.is_some_and(|exempt| exempt.matches(host, uri.port_u16())) {
            return Ok(());
        }
        if uri.scheme() != Some(&Scheme::HTTPS) {
            return Err(Unreachable::NotHttps);
        }
        let literal: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        if literal.is_some_and(|address| !is_public(address)) {
            return Err(Unreachable::NotPublic);
        }
        Ok(())
    }

    async fn send_checked(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Unreachable> {
        self.check(request.uri())?;
        let deadline = Instant::now() + self.timeout;
        let (parts, mut body) = timeout_at(deadline, exchange(&self.connector, request))
            .await
            .map_err(|_| Unreachable::TimedOut(self.timeout.as_secs()))?
            .map_err(Unreachable::from_source)?
            .into_parts();
        // The status has been received: it is returned even if the body is incomplete.
        let mut read = BytesMut::new();
        while let Ok(Some(Ok(frame))) = timeout_at(deadline, body.frame()).await {
            let data = frame.into_data().unwrap_or_default();
            let room = MAX_RESPONSE_BYTES - read.len();
            read.extend_from_slice(&data[..data.len().min(room)]);
            if read.len() == MAX_RESPONSE_BYTES {
                break;
            }
        }
        Ok(Response::from_parts(parts, read.freeze()))
    }
}

#[async_trait]
impl HttpClient for PublicClient {
    /// Reads at most 64 KiB of the response body. The source of an error is an [`Unreachable`].
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoResponse> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        self.send_checked(request).await.map_err(|error| NoResponse { host, source: error.into() })
    }
}

/// Why there is no response, worded for the client that supplied the URL.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// The scheme of the URL is not `https`.
    #[error("the URL is not https")]
    NotHttps,
    /// The address, or one of the addresses that the host name resolves to, is not on the public internet.
    #[error("the address is not public")]
    NotPublic,
    /// The response did not arrive within this number of seconds.
    #[error("no answer within {0} s")]
    TimedOut(u64),
    /// The connection could not be established, or broke. The text is the innermost cause.
    #[error("no connection: {0}")]
    NoConnection(String),
}

impl Unreachable {
    /// Uses the innermost cause, because the outer ones contain no details.
    fn from_source(error: BoxError) -> Self {
        let mut cause: &(dyn StdError + 'static) = error.as_ref();
        loop {
            if cause.is::<NotPublicName>() {
                return Self::NotPublic;
            }
            match cause.source() {
                Some(inner) => cause = inner,
                None => return Self::NoConnection(cause.to_string()),
            }
        }
    }
}

/// A host name resolves to an address that is not public.
#[derive(Debug, thiserror::Error)]
#[error("it resolves to an address that is not public")]
struct NotPublicName;

/// Resolves host names and rejects those with any address that is not public.
#[derive(Debug, Clone, Copy)]
struct PublicResolver;

impl tower::Service<Name> for PublicResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if found.iter().all(|address| is_public(address.ip())) {
                Ok(found.into_iter())
            } else {
                Err(NotPublicName.into())
            }
        })
    }
}

#[cfg(test)]
mod tests;
