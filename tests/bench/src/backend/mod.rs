//! What the functions call: each service at an address of its own, as on AWS, so that a function that talks to
//! two of them pays for two connections.

mod answers;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use platform::memory::lock;
use tokio_rustls::rustls::ServerConfig;

use crate::functions::Function;
use crate::server::{Handler, Server};
use answers::Answer;

/// A service that functions call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named as the service is")]
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
    const ALL: [Self; 11] = [
        Self::CloudWatch,
        Self::DynamoDb,
        Self::EventBridge,
        Self::SecretsManager,
        Self::S3,
        Self::Ses,
        Self::Sqs,
        Self::Inventory,
        Self::Shop,
        Self::SignIn,
        Self::Stripe,
    ];

    /// The environment variable that tells a function where the service is.
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

    /// Whether it is one of AWS's, which every function finds; the others are named by who calls them.
    pub fn is_of_aws(self) -> bool {
        !matches!(self, Self::Inventory | Self::Shop | Self::SignIn | Self::Stripe)
    }
}

/// All services, running.
pub struct Backend {
    servers: Vec<(Service, Server)>,
    scheme: &'static str,
    traffic: Arc<Mutex<Traffic>>,
}

/// What came in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traffic {
    /// How many connections.
    pub connections: usize,
    /// How many requests.
    pub requests: usize,
    /// Requests that no sample event should lead to.
    pub unexpected: Vec<String>,
}

impl Backend {
    /// Starts all services; with TLS, unless `tls` is `None`.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start(tls: Option<&Arc<ServerConfig>>) -> anyhow::Result<Self> {
        let traffic = Arc::new(Mutex::new(Traffic::default()));
        let mut servers = Vec::new();
        for service in Service::ALL {
            let handler = Arc::new(Answers { service, traffic: Arc::clone(&traffic) });
            servers.push((service, Server::start(tls.cloned(), handler).await?));
        }
        let scheme = if tls.is_some() { "https" } else { "http" };
        Ok(Self { servers, scheme, traffic })
    }

    /// Each service and its URL.
    pub fn urls(&self) -> Vec<(Service, String)> {
        let url = |server: &Server| format!("{}://{}", self.scheme, server.address());
        self.servers.iter().map(|(service, server)| (*service, url(server))).collect()
    }

    /// The variables that tell `function` where the services are: AWS's always, others where its own variables name them.
    pub fn addresses(&self, function: &Function) -> Vec<(String, String)> {
        let urls = self.urls().into_iter().map(|(service, url)| (service.variable(), service, url));
        urls.filter(|(name, service, _)| service.is_of_aws() || function.variables.contains_key(*name))
            .map(|(name, _, url)| (name.to_owned(), url))
            .collect()
    }

    /// What came in since this was last asked for.
    pub fn take_traffic(&self) -> Traffic {
        std::mem::take(&mut lock(&self.traffic))
    }
}

struct Answers {
    service: Service,
    traffic: Arc<Mutex<Traffic>>,
}

impl Answers {
    fn note(&self, note: impl FnOnce(&mut Traffic)) {
        note(&mut lock(&self.traffic));
    }
}

impl Handler for Answers {
    fn connected(&self) {
        self.note(|traffic| traffic.connections += 1);
    }

    async fn answer(&self, request: Request<Bytes>) -> Response<Full<Bytes>> {
        let mut answer = Response::default();
        let mut content_type = "application/json";
        match answers::answer(self.service, &request) {
            Some(Answer::Json(body)) => *answer.body_mut() = body.to_string().into(),
            Some(Answer::File(file)) => {
                answer.headers_mut().insert(ETAG, HeaderValue::from_static("\"file\""));
                *answer.body_mut() = file.into();
            }
            Some(Answer::NoFile) => {
                *answer.status_mut() = StatusCode::NOT_FOUND;
                *answer.body_mut() = "<Error><Code>NoSuchKey</Code></Error>".into();
            }
            Some(Answer::EmptyCbor) => {
                let protocol = HeaderValue::from_static("rpc-v2-cbor");
                answer.headers_mut().insert("smithy-protocol", protocol);
                content_type = "application/cbor";
                *answer.body_mut() = Bytes::from_static(&[0xa0]).into();
            }
            None => {
                let what = format!("{:?}: {} {}", self.service, request.method(), request.uri());
                let target = request.headers().get("x-amz-target").map(|target| format!(" {target:?}"));
                let body = String::from_utf8_lossy(request.body());
                self.note(|traffic| {
                    traffic.unexpected.push(format!("{what}{} {body}", target.unwrap_or_default()));
                });
                *answer.status_mut() = StatusCode::BAD_REQUEST;
                *answer.body_mut() = "{}".into();
            }
        }
        self.note(|traffic| traffic.requests += 1);
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        answer
    }
}
