//! The HTTPS connections of the SDK's clients and of our own: hyper's client with rustls, HTTP/1.1 only.
//!
//! `aws-smithy-http-client` combines the same libraries, and brings HTTP/2 and proxies as well, which no function
//! needs and which are 7 % of its code (docs/decisions/0004-tls-and-sdk.md).

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{HttpConnector as SdkConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::ErrorKind;
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::client::legacy::connect::{CaptureConnection, HttpConnector, capture_connection};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use platform::trace::{self, Attribute, NewSpan, SpanKind};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tower::timeout::{Timeout, error::Elapsed};
use tower::util::BoxCloneSyncService;

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;
type Connect = BoxCloneSyncService<Uri, MaybeHttpsStream<TokioIo<TcpStream>>, BoxError>;

/// The root certificates of Amazon Trust Services, which sign the certificates of AWS's endpoints
/// (<https://www.amazontrust.com/repository/>). They are compiled in because loading the 145 roots of a machine
/// takes 1.2 ms per cold start. `cargo test -p aws` fails a year before the first of them expires.
pub(crate) const AMAZON_ROOTS: &str = include_str!("amazon-roots.pem");

/// Amazon's roots, or the machine's if `SSL_CERT_FILE` is set, which means that another server stands in for AWS.
pub(crate) fn aws_roots() -> RootCertStore {
    if std::env::var_os("SSL_CERT_FILE").is_some() {
        return machine_roots();
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(AMAZON_ROOTS.as_bytes()).flatten());
    roots
}

/// The root certificates of the machine, without those that cannot be read.
pub(crate) fn machine_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// A pool of connections, each over TLS unless the URL is plain HTTP. Clones share the pool.
#[derive(Clone)]
pub(crate) struct Connector {
    client: Client<Connect, SdkBody>,
    /// Whether the servers are our own, which continue the trace.
    is_ours: bool,
}

impl Connector {
    /// A pool whose servers have certificates signed by `roots`. `connect_timeout` is for the name, the connection
    /// and the TLS handshake together. The callers set the timeout of the response.
    pub(crate) fn new(roots: RootCertStore, connect_timeout: Duration) -> Self {
        Self::with_resolver(roots, connect_timeout, GaiResolver::new())
    }

    /// The same, which connects only to the addresses that `resolver` returns.
    pub(crate) fn with_resolver<R>(roots: RootCertStore, connect_timeout: Duration, resolver: R) -> Self
    where
        R: tower::Service<Name, Error: Into<BoxError>, Future: Send> + Clone + Send + Sync + 'static,
        HttpConnector<R>:
            tower::Service<Uri, Response = TokioIo<TcpStream>, Error: Into<BoxError>, Future: Send>,
    {
        let mut tcp = HttpConnector::new_with_resolver(resolver);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls(roots))
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let connect = BoxCloneSyncService::new(Timeout::new(https, connect_timeout));
        // Without the timer, idle connections stay in the pool.
        let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connect);
        Self { client, is_ours: false }
    }

    /// The same pool, for requests to our own APIs.
    pub(crate) fn to_our_apis(&self) -> Self {
        Self { is_ours: true, ..self.clone() }
    }

    /// Sends a request and reads the head of the response, in a span of its own.
    ///
    /// # Errors
    /// When there is no connection, or it breaks.
    pub(crate) fn send(
        &self,
        mut request: Request<SdkBody>,
    ) -> impl Future<Output = Result<Response<Incoming>, ClientError>> + Send + use<> {
        let span = call_span(&request).start();
        if self.is_ours
            && let Some(traceparent) = span.traceparent().and_then(|text| text.try_into().ok())
        {
            request.headers_mut().insert("traceparent", traceparent);
        }
        let response = self.client.request(request);
        async move {
            let response = span.around(response).await;
            match &response {
                Ok(response) => span.set("http.response.status_code", response.status().as_u16()),
                Err(_) => span.fail("no_response"),
            }
            response
        }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

/// TLS 1.2 and 1.3 with ring: as fast as AWS-LC, and 2 MB smaller (docs/decisions/0004-tls-and-sdk.md).
#[expect(clippy::expect_used, reason = "ring has cipher suites for both versions")]
fn tls(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring supports TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

impl SdkConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        let connection = capture_connection(&mut request);
        if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
            capture.set_connection_retriever(move || metadata(&connection));
        }
        let response = self.send(request);
        HttpConnectorFuture::new(async move {
            let response = response.await.map_err(classify)?;
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Lets the SDK close a connection on which a request failed, instead of returning it to the pool.
fn metadata(connection: &CaptureConnection) -> Option<ConnectionMetadata> {
    connection.connection_metadata().as_ref()?;
    let connection = connection.clone();
    let poison = move || {
        if let Some(connected) = connection.connection_metadata().as_ref() {
            connected.poison();
        }
    };
    Some(ConnectionMetadata::builder().proxied(false).poison_fn(poison).build())
}

/// The span of a request: of an operation of AWS if its header names one. The path is not recorded, because the key of an
/// object or an item in it may be personal.
fn call_span<B>(request: &Request<B>) -> NewSpan {
    let target = request.headers().get("x-amz-target");
    let method = trace::method_name(request.method());
    let name = target.and_then(operation).map_or(Cow::Borrowed(method), Cow::Owned);
    trace::span(SpanKind::Client, name)
        .with("http.request.method", method)
        .with("server.address", Attribute::host(request.uri()))
        .with_some("rpc.method", target.and_then(Attribute::operation))
}

/// The name of an operation of AWS, such as `DynamoDB.PutItem` for `DynamoDB_20120810.PutItem`.
fn operation(target: &HeaderValue) -> Option<String> {
    let (service, operation) = target.to_str().ok()?.split_once('.')?;
    let service = service.split('_').next().unwrap_or(service);
    Some(format!("{service}.{operation}"))
}

/// Tells the SDK which errors are worth a retry, as `aws-smithy-http-client` does.
fn classify(error: ClientError) -> ConnectorError {
    if source::<Elapsed>(&error).is_some() {
        return ConnectorError::timeout(error.into());
    }
    match source::<hyper::Error>(&error) {
        Some(cause) if cause.is_timeout() => ConnectorError::timeout(error.into()),
        Some(cause) if cause.is_user() => ConnectorError::user(error.into()),
        // The server closed the connection in the middle of the response.
        Some(cause) if cause.is_incomplete_message() => {
            ConnectorError::other(error.into(), Some(ErrorKind::TransientError))
        }
        Some(cause) if cause.is_closed() || cause.is_canceled() => ConnectorError::io(error.into()),
        _ if error.is_connect() || source::<std::io::Error>(&error).is_some() => {
            ConnectorError::io(error.into())
        }
        _ => ConnectorError::other(error.into(), None),
    }
}

/// The first error of type `E` in the chain of causes.
fn source<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}

#[cfg(test)]
mod tests;
