//! The HTTPS client that everything shares, and requests signed for API Gateway.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::dns::SharedDnsResolver;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;

use crate::clock::{Clock, SystemClock};
use crate::http::client::{CONNECT_TIMEOUT, HttpClient, NoResponse, with_user_agent};

/// The roots of Amazon Trust Services, which AWS's endpoints chain up to
/// (<https://www.amazontrust.com/repository/>). Compiled in: reading a machine's 145 roots costs 1.2 ms at every
/// cold start. `cargo test -p platform` fails a year before the first of them expires.
const AMAZON_ROOTS: &str = include_str!("amazon-roots.pem");

/// For calls to AWS.
pub(super) fn aws_connector() -> SharedHttpConnector {
    connector(aws_roots())
}

/// Has all clients of the SDK use `connector`. Left to themselves, each would read the roots once in init, to see
/// that they can be read, and the first request would read them again.
pub(super) fn sdk_client(connector: SharedHttpConnector) -> SharedHttpClient {
    http_client_fn(move |_, _| connector.clone())
}

/// ring and not AWS-LC: as fast, and 2 MB smaller (docs/decisions/0004-tls-and-sdk.md).
const RING: Provider = Provider::Rustls(CryptoMode::Ring);

/// Amazon's, or the machine's where `SSL_CERT_FILE` says that somebody else speaks for AWS here.
fn aws_roots() -> TrustStore {
    if std::env::var_os("SSL_CERT_FILE").is_some() {
        return TrustStore::default();
    }
    TrustStore::empty().with_pem_certificate(AMAZON_ROOTS)
}

/// `None` where the roots cannot be read: the client then uses its own default.
fn tls_context(roots: TrustStore) -> Option<TlsContext> {
    TlsContext::builder().with_trust_store(roots).build().ok()
}

/// Waits for a connection for [`CONNECT_TIMEOUT`]; how long to wait for an answer is for the callers to say.
fn connector(roots: TrustStore) -> SharedHttpConnector {
    connector_with(roots, CONNECT_TIMEOUT, None)
}

/// The same, with another patience and, where there is one, another resolver of names.
pub(super) fn connector_with(
    roots: TrustStore,
    connect_timeout: Duration,
    resolver: Option<SharedDnsResolver>,
) -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder().connect_timeout(connect_timeout).build();
    let mut builder =
        Connector::builder().connector_settings(settings).sleep_impl(TokioSleep::new()).tls_provider(RING);
    if let Some(context) = tls_context(roots) {
        builder = builder.tls_context(context);
    }
    SharedHttpConnector::new(match resolver {
        Some(resolver) => builder.build_with_resolver(resolver),
        None => builder.build(),
    })
}

/// Calls others, trusting the machine's roots.
#[derive(Debug, Clone)]
pub struct UnsignedClient {
    connector: SharedHttpConnector,
    timeout: Duration,
}

impl UnsignedClient {
    /// Each request gets `timeout` for its answer.
    pub fn new(timeout: Duration) -> Self {
        Self { connector: connector(TrustStore::default()), timeout }
    }
}

#[async_trait]
impl HttpClient for UnsignedClient {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoResponse> {
        send(&self.connector, self.timeout, request).await
    }
}

/// Calls AWS, and HTTP APIs that API Gateway protects with IAM: signs each request (Signature Version 4).
#[derive(Debug, Clone)]
pub struct SignedClient {
    connector: SharedHttpConnector,
    credentials: SharedCredentialsProvider,
    region: Arc<str>,
    service: &'static str,
}

/// API Gateway gives up after 29 seconds; our own APIs are asked to be far quicker.
const API_TIMEOUT: Duration = Duration::from_secs(8);

impl SignedClient {
    pub(super) fn new(
        connector: SharedHttpConnector,
        credentials: SharedCredentialsProvider,
        region: &str,
        service: &'static str,
    ) -> Self {
        Self { connector, credentials, region: region.into(), service }
    }

    async fn sign(&self, request: &mut Request<Bytes>) -> anyhow::Result<()> {
        let identity = self.credentials.provide_credentials().await?.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(SystemTime::try_from(SystemClock.now())?)
            .settings(SigningSettings::default())
            .build()?
            .into();
        let headers: Vec<(&str, &str)> = request
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
            .collect();
        let uri = request.uri().to_string();
        let signable = SignableRequest::new(
            request.method().as_str(),
            uri,
            headers.into_iter(),
            SignableBody::Bytes(request.body()),
        )?;
        let (instructions, _signature) = sign(signable, &parameters)?.into_parts();
        instructions.apply_to_request_http1x(request);
        Ok(())
    }
}

#[async_trait]
impl HttpClient for SignedClient {
    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, NoResponse> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        self.sign(&mut request).await.map_err(|error| NoResponse { host, source: error.into() })?;
        send(&self.connector, API_TIMEOUT, request).await
    }
}

async fn send(
    connector: &SharedHttpConnector,
    timeout: Duration,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, NoResponse> {
    let host = request.uri().host().unwrap_or_default().to_owned();
    let answer = async {
        let (parts, body) = exchange(connector, request).await?.into_parts();
        Ok::<_, BoxError>(Response::from_parts(parts, body.collect().await?.to_bytes()))
    };
    let answer = tokio::time::timeout(timeout, answer).await.unwrap_or_else(|elapsed| Err(elapsed.into()));
    answer.map_err(|source| NoResponse { host, source })
}

/// Sends one request, whoever the client is: here it gets its `User-Agent`, which Signature Version 4 leaves unsigned, since
/// whatever lies in between may change it. Reads the head of the answer.
pub(super) async fn exchange(
    connector: &SharedHttpConnector,
    request: Request<Bytes>,
) -> Result<Response<SdkBody>, BoxError> {
    let request = with_user_agent(request).map(SdkBody::from).try_into()?;
    Ok(connector.call(request).await?.try_into_http1x()?)
}

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[cfg(test)]
mod tests;
