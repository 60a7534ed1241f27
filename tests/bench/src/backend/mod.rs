//! The services that the functions call. Each one has its own address, as on AWS, so that a function that calls two
//! services opens two connections.

mod responses;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use platform::lock;
use tokio_rustls::rustls::ServerConfig;

use crate::functions::Function;
use crate::server::{Handler, Server};
use responses::Body;
use strum::VariantArray;

/// A service that functions call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray)]
#[expect(missing_docs, reason = "the variants have the names of the services")]
pub enum Service {
    CloudWatch,
    DynamoDb,
    EventBridge,
    SecretsManager,
    S3,
    Ses,
    Sqs,
    Inventory,
    Shop,
    SignIn,
    Stripe,
}

impl Service {
    /// The environment variable with the URL of the service.
    pub fn variable(self) -> &'static str {
        match self {
            Self::CloudWatch => "AWS_ENDPOINT_URL_CLOUDWATCH",
            Self::DynamoDb => "AWS_ENDPOINT_URL_DYNAMODB",
            Self::EventBridge => "AWS_ENDPOINT_URL_EVENTBRIDGE",
            Self::SecretsManager => "AWS_ENDPOINT_URL_SECRETS_MANAGER",
            Self::S3 => "AWS_ENDPOINT_URL_S3",
            Self::Ses => "AWS_ENDPOINT_URL_SESV2",
            Self::Sqs => "AWS_ENDPOINT_URL_SQS",
            Self::Inventory => "INVENTORY_API_URL",
            Self::Shop => "API_URL",
            Self::SignIn => "TOKEN_URL",
            Self::Stripe => "STRIPE_API_BASE",
        }
    }

    /// Whether it is an AWS service. Every function gets the URLs of these; those of others only if it calls them.
    pub fn is_aws(self) -> bool {
        !matches!(self, Self::Inventory | Self::Shop | Self::SignIn | Self::Stripe)
    }
}

/// The running services.
pub struct Backend {
    servers: Vec<(Service, Server)>,
    scheme: &'static str,
    traffic: Arc<Mutex<Traffic>>,
}

/// The incoming traffic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traffic {
    /// The number of connections.
    pub connections: usize,
    /// The number of requests.
    pub requests: usize,
    /// Requests that no sample event should cause.
    pub unexpected: Vec<String>,
}

impl Backend {
    /// Starts all services; with TLS, unless `tls` is `None`.
    ///
    /// # Errors
    /// If there is no free port.
    pub async fn start(tls: Option<&Arc<ServerConfig>>) -> anyhow::Result<Self> {
        let traffic = Arc::new(Mutex::new(Traffic::default()));
        let mut servers = Vec::new();
        for &service in Service::VARIANTS {
            let handler = Arc::new(ServiceHandler { service, traffic: Arc::clone(&traffic) });
            servers.push((service, Server::start(tls.cloned(), handler).await?));
        }
        let scheme = if tls.is_some() { "https" } else { "http" };
        Ok(Self { servers, scheme, traffic })
    }

    /// The services with their URLs.
    pub fn urls(&self) -> Vec<(Service, String)> {
        let url = |server: &Server| format!("{}://{}", self.scheme, server.address());
        self.servers.iter().map(|(service, server)| (*service, url(server))).collect()
    }

    /// The environment variables of `function` with the URLs of the services: those of AWS services always, those of others
    /// if the template sets the variable.
    pub fn addresses(&self, function: &Function) -> Vec<(String, String)> {
        let urls = self.urls().into_iter().map(|(service, url)| (service.variable(), service, url));
        urls.filter(|(name, service, _)| service.is_aws() || function.variables.contains_key(*name))
            .map(|(name, _, url)| (name.to_owned(), url))
            .collect()
    }

    /// Returns the traffic since the last call, and resets it.
    pub fn take_traffic(&self) -> Traffic {
        std::mem::take(&mut lock(&self.traffic))
    }
}

struct ServiceHandler {
    service: Service,
    traffic: Arc<Mutex<Traffic>>,
}

impl ServiceHandler {
    fn record(&self, update: impl FnOnce(&mut Traffic)) {
        update(&mut lock(&self.traffic));
    }
}

impl Handler for ServiceHandler {
    fn connected(&self) {
        self.record(|traffic| traffic.connections += 1);
    }

    async fn handle(&self, request: Request<Bytes>) -> Response<Full<Bytes>> {
        let mut response = Response::default();
        let mut content_type = "application/json";
        match responses::respond(self.service, &request) {
            Some(Body::Json(body)) => *response.body_mut() = body.to_string().into(),
            Some(Body::Object(content)) => {
                response.headers_mut().insert(ETAG, HeaderValue::from_static("\"file\""));
                *response.body_mut() = content.into();
            }
            Some(Body::NoSuchKey) => {
                *response.status_mut() = StatusCode::NOT_FOUND;
                *response.body_mut() = "<Error><Code>NoSuchKey</Code></Error>".into();
            }
            Some(Body::EmptyCbor) => {
                let protocol = HeaderValue::from_static("rpc-v2-cbor");
                response.headers_mut().insert("smithy-protocol", protocol);
                content_type = "application/cbor";
                *response.body_mut() = Bytes::from_static(&[0xa0]).into();
            }
            None => {
                let what = format!("{:?}: {} {}", self.service, request.method(), request.uri());
                let target = request.headers().get("x-amz-target").map(|target| format!(" {target:?}"));
                let body = String::from_utf8_lossy(request.body());
                self.record(|traffic| {
                    traffic.unexpected.push(format!("{what}{} {body}", target.unwrap_or_default()));
                });
                *response.status_mut() = StatusCode::BAD_REQUEST;
                *response.body_mut() = "{}".into();
            }
        }
        self.record(|traffic| traffic.requests += 1);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    }
}
