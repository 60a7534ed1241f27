//! AWS: the adapters behind the ports, and how the SDK's clients are made.
//!
//! Settings come from the environment alone, as Lambda sets it: no profile, no metadata service, no request
//! before the first one that counts. `AWS_ENDPOINT_URL` is honoured as in every SDK, and so is
//! `AWS_ENDPOINT_URL_<SERVICE>`. The reasons, with figures, are in `docs/decisions/0004-tls-and-sdk.md`.

mod container;
mod event_bridge;
mod http_client;
mod idempotency;
mod public_client;
mod queue;
mod secret;
mod simple_storage;
#[cfg(test)]
mod stub_connector;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use std::time::Duration;

pub use event_bridge::EventBridge;
pub use http_client::{SignedClient, UnsignedClient};
pub use idempotency::DynamoDbIdempotencyStore;
pub use public_client::{PublicClient, Unreachable};
pub use queue::{DeadLetterQueue, Queue};
pub use secret::Secret;
pub use simple_storage::Bucket;

use crate::config;
use crate::publisher::BusPublisher;
use container::ContainerCredentials;
use queue::Sqs;

/// Makes the adapters that a function asks for, over one configuration and one HTTPS client.
#[derive(Debug, Clone)]
pub struct Aws {
    config: SdkConfig,
    connector: SharedHttpConnector,
    credentials: SharedCredentialsProvider,
    region: String,
}

impl Aws {
    /// From the environment that Lambda sets, or a container's, whose credentials change while it runs.
    ///
    /// # Errors
    /// When region or credentials are missing.
    pub fn from_env() -> anyhow::Result<Self> {
        let region = config::required("AWS_REGION").or_else(|_| config::required("AWS_DEFAULT_REGION"))?;
        let endpoint = std::env::var("AWS_ENDPOINT_URL").ok().filter(|url| !url.is_empty());
        let key_id = config::required("AWS_ACCESS_KEY_ID");
        if let (Err(_), Some(container)) = (&key_id, ContainerCredentials::from_env()) {
            return Ok(Self::new(region, SharedCredentialsProvider::new(container), endpoint));
        }
        let credentials = Credentials::new(
            key_id?,
            config::required("AWS_SECRET_ACCESS_KEY")?,
            std::env::var("AWS_SESSION_TOKEN").ok(),
            None,
            "environment",
        );
        Ok(Self::new(region, SharedCredentialsProvider::new(credentials), endpoint))
    }

    /// The same AWS, as somebody else.
    pub fn with_credentials(&self, key_id: &str, secret: &str, session: &str) -> Self {
        let credentials = Credentials::new(key_id, secret, Some(session.to_owned()), None, "given");
        let credentials = SharedCredentialsProvider::new(credentials);
        Self::new(self.region.clone(), credentials, self.config.endpoint_url().map(str::to_owned))
    }

    fn new(region: String, credentials: SharedCredentialsProvider, endpoint: Option<String>) -> Self {
        let connector = http_client::aws_connector();
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.clone()))
            .credentials_provider(credentials.clone())
            .service_config(ServiceEndpoints)
            .http_client(http_client::sdk_client(connector.clone()))
            .sleep_impl(TokioSleep::new())
            .retry_config(RetryConfig::standard())
            // An attempt that hangs is given up early enough for another one within a function's time.
            .timeout_config(
                TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(5)).build(),
            );
        config.set_endpoint_url(endpoint);
        Self { config: config.build(), connector, credentials, region }
    }

    /// For the clients of services that only one package uses.
    pub fn sdk_config(&self) -> &SdkConfig {
        &self.config
    }

    /// A client for DynamoDB.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config)
    }

    /// The bucket of that name.
    pub fn bucket(&self, name: String) -> Bucket {
        Bucket::new(&self.config, name)
    }

    /// The claims on effects in the table of that name.
    pub fn idempotency_store(&self, table: String) -> DynamoDbIdempotencyStore {
        DynamoDbIdempotencyStore::new(self.dynamodb(), table)
    }

    /// The bus in `EVENT_BUS`.
    ///
    /// # Errors
    /// When it is not set.
    pub fn event_bridge(&self) -> anyhow::Result<BusPublisher<EventBridge>> {
        let client = aws_sdk_eventbridge::Client::new(&self.config);
        Ok(BusPublisher(EventBridge::new(client, config::required("EVENT_BUS")?)))
    }

    /// The queue in `QUEUE_URL`, with its dead letters in `DEAD_LETTER_QUEUE_URL`.
    ///
    /// # Errors
    /// When one is not set.
    pub fn queue(&self) -> anyhow::Result<Queue> {
        Ok(self.queue_at(config::required("QUEUE_URL")?, config::required("DEAD_LETTER_QUEUE_URL")?))
    }

    /// The queue at `url`, with its dead letters at `dead_letters`.
    pub fn queue_at(&self, url: String, dead_letters: String) -> Queue {
        let sqs = Sqs::new(&self.config);
        Queue::new(sqs.clone(), url, DeadLetterQueue::new(sqs, dead_letters))
    }

    /// The dead letters in `DEAD_LETTER_QUEUE_URL`, for a function that no queue calls.
    ///
    /// # Errors
    /// When it is not set.
    pub fn dead_letter_queue(&self) -> anyhow::Result<DeadLetterQueue> {
        Ok(DeadLetterQueue::new(Sqs::new(&self.config), config::required("DEAD_LETTER_QUEUE_URL")?))
    }

    /// A client whose requests are signed for the AWS service of that name: `execute-api` for HTTP APIs that
    /// API Gateway protects with IAM.
    pub fn signed_client(&self, service: &'static str) -> SignedClient {
        SignedClient::new(self.connector.clone(), self.credentials.clone(), &self.region, service)
    }

    /// The secret of that name or ARN.
    pub fn secret(&self, id: String) -> Secret {
        Secret::new(aws_sdk_secretsmanager::Client::new(&self.config), id)
    }
}

/// `AWS_ENDPOINT_URL_DYNAMODB` and the like: where one service is, where that is not where all are
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>).
#[derive(Debug)]
struct ServiceEndpoints;

impl LoadServiceConfig for ServiceEndpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().replace(' ', "_").to_uppercase();
        std::env::var(format!("{}_{service}", key.env())).ok().filter(|url| !url.is_empty())
    }
}
