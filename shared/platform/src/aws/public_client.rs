//! Calls to addresses that others choose: only ever to the public internet.

use std::error::Error as StdError;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use aws_smithy_http_client::tls::TrustStore;
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError, SharedDnsResolver};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use bytes::{Bytes, BytesMut};
use http::uri::Scheme;
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::http_client::{BoxError, connector_with, exchange};
use crate::http::client::{HttpClient, NoResponse};
use crate::net::{LocalReceiver, is_public};

/// How long to wait for a connection: others are further away than AWS is.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How much of an answer is read, in bytes. What comes behind it is dropped.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// Calls URLs that others chose, over HTTPS and on public addresses alone ([`is_public`]). The rule is applied to the
/// very addresses that are connected to, so a name that resolves to another one a moment later gains nothing.
/// Redirects are answers like any other: nobody follows them.
#[derive(Debug, Clone)]
pub struct PublicClient {
    connector: SharedHttpConnector,
    timeout: Duration,
    exempt: Option<LocalReceiver>,
}

impl PublicClient {
    /// Each request gets `timeout` for its answer. `exempt` may be called too, and over plain HTTP.
    pub fn new(timeout: Duration, exempt: Option<LocalReceiver>) -> Self {
        let resolver = SharedDnsResolver::new(PublicResolver);
        Self {
            connector: connector_with(TrustStore::default(), CONNECT_TIMEOUT, Some(resolver)),
            timeout,
            exempt,
        }
    }

    /// An address that stands in the URL itself is connected to without asking the resolver, so it is looked at here.
    fn admit(&self, uri: &Uri) -> Result<(), Unreachable> {
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

    async fn answer(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Unreachable> {
        self.admit(request.uri())?;
        let deadline = Instant::now() + self.timeout;
        let (parts, mut body) = timeout_at(deadline, exchange(&self.connector, request))
            .await
            .map_err(|_| Unreachable::TimedOut(self.timeout.as_secs()))?
            .map_err(Unreachable::from_source)?
            .into_parts();
        // The status has come: however the body ends, that is the answer.
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
    /// Reads at most 64 KiB of the answer. The source of a failure is an [`Unreachable`].
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoResponse> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        self.answer(request).await.map_err(|error| NoResponse { host, source: error.into() })
    }
}

/// Why there is no answer, in words for whoever chose the URL.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// The URL is not HTTPS.
    #[error("the URL is not https")]
    NotHttps,
    /// The address, or one of those that the name resolves to, is not on the public internet.
    #[error("the address is not public")]
    NotPublic,
    /// It took too long.
    #[error("no answer within {0} s")]
    TimedOut(u64),
    /// No connection, or one that broke.
    #[error("no connection: {0}")]
    NoConnection(String),
}

impl Unreachable {
    /// The innermost cause says what happened; those around it only that something did.
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

/// A name that resolves to an address that is not public.
#[derive(Debug, thiserror::Error)]
#[error("it resolves to an address that is not public")]
struct NotPublicName;

/// Resolves names whose every address is public, and refuses all others.
#[derive(Debug, Clone, Copy)]
struct PublicResolver;

impl ResolveDns for PublicResolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let found = tokio::net::lookup_host((name, 0)).await.map_err(ResolveDnsError::new)?;
            let found: Vec<IpAddr> = found.map(|address| address.ip()).collect();
            if found.iter().copied().all(is_public) {
                Ok(found)
            } else {
                Err(ResolveDnsError::new(NotPublicName))
            }
        })
    }
}

#[cfg(test)]
mod tests;
