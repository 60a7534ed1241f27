//! The shared HTTPS client, and requests signed for API Gateway.

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

use platform::clock::{Clock, SystemClock};
use platform::http::client::{CONNECT_TIMEOUT, HttpClient, NoResponse, with_user_agent};

/// The root certificates of Amazon Trust Services, which sign the certificates of AWS's endpoints
/// (<https://www.amazontrust.com/repository/>). They are compiled in because loading the 145 roots of a
/// machine takes 1.2 ms per cold start. `cargo test -p aws` fails a year before the first of them
/// expires.
const AMAZON_ROOTS: &str = include_str!("amazon-roots.pem");

/// The connector for calls to AWS.
pub(super) fn aws_connector() -> SharedHttpConnector {
    connector(aws_roots())
}

/// Makes all clients of the SDK use `connector`. By default, each client loads the roots once in the init
/// phase to validate them, and again with its first request.
pub(super) fn sdk_client(connector: SharedHttpConnector) -> SharedHttpClient {
    http_client_fn(move |_, _| connector.clone())
}

/// ring instead of AWS-LC: as fast, and 2 MB smaller (docs/decisions/0004-tls-and-sdk.md).
const RING: Provider = Provider::Rustls(CryptoMode::Ring);

/// Amazon's roots, or the machine's if `SSL_CERT_FILE` is set, which means that another server stands in for
/// AWS.
fn aws_roots() -> TrustStore {
    if std::env::var_os("SSL_CERT_FILE").is_some() {
        return TrustStore::default();
    }
    TrustStore::empty().with_pem_certificate(AMAZON_ROOTS)
}

/// `None` if the roots cannot be loaded: the client then uses its own default.
fn tls_context(roots: TrustStore) -> Option<TlsContext> {
    TlsContext::builder().with_trust_store(roots).build().ok()
}

/// A connector with [`CONNECT_TIMEOUT`]. The callers set the timeout of the response.
fn connector(roots: TrustStore) -> SharedHttpConnector {
    connector_with(roots, CONNECT_TIMEOUT, None)
}

/// A connector with the given connect timeout and, optionally, a DNS resolver.
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

/// A client for unsigned requests, which trusts the machine's root certificates.
#[derive(Debug, Clone)]
pub struct UnsignedClient {
    connector: SharedHttpConnector,
    timeout: Duration,
}

impl UnsignedClient {
    /// A client whose requests time out after `timeout`.
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

/// A client that signs each request (Signature Version 4), for AWS and for HTTP APIs that API Gateway
/// protects with IAM.
#[derive(Debug, Clone)]
pub struct SignedClient {
    connector: SharedHttpConnector,
    credentials: SharedCredentialsProvider,
    region: Arc<str>,
    service: &'static str,
}

/// The timeout of requests to our own APIs, far below the 29 seconds of API Gateway.
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
    let response = async {
        let (parts, body) = exchange(connector, request).await?.into_parts();
        Ok::<_, BoxError>(Response::from_parts(parts, body.collect().await?.to_bytes()))
    };
    let response =
        tokio::time::timeout(timeout, response).await.unwrap_or_else(|elapsed| Err(elapsed.into()));
    response.map_err(|source| NoResponse { host, source })
}

/// Sends one request of any client and reads the head of the response. Adds the `User-Agent`, which Signature
/// Version 4 does not sign because proxies may change it.
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
