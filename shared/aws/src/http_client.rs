//! The clients for HTTP APIs: unsigned, and signed for API Gateway.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use platform::clock::{Clock, SystemClock};
use platform::http_client::{CONNECT_TIMEOUT, HttpClient, NoResponse, with_user_agent};

use crate::connector::{BoxError, Connector, machine_roots};

/// A client for unsigned requests, which trusts the machine's root certificates.
#[derive(Debug, Clone)]
pub struct UnsignedClient {
    connector: Connector,
    timeout: Duration,
}

impl UnsignedClient {
    /// A client whose requests time out after `timeout`.
    pub fn new(timeout: Duration) -> Self {
        Self { connector: Connector::new(machine_roots(), CONNECT_TIMEOUT), timeout }
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
    connector: Connector,
    credentials: SharedCredentialsProvider,
    region: Arc<str>,
    service: &'static str,
}

/// The timeout of requests to our own APIs, far below the 29 seconds of API Gateway.
const API_TIMEOUT: Duration = Duration::from_secs(8);

impl SignedClient {
    pub(super) fn new(
        connector: Connector,
        credentials: SharedCredentialsProvider,
        region: &str,
        service: &'static str,
    ) -> Self {
        Self { connector: connector.to_our_apis(), credentials, region: region.into(), service }
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
    connector: &Connector,
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
    connector: &Connector,
    request: Request<Bytes>,
) -> Result<Response<Incoming>, BoxError> {
    Ok(connector.send(with_user_agent(request).map(SdkBody::from)).await?)
}

#[cfg(test)]
mod tests;
