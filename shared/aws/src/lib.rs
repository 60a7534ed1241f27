//! The AWS adapters behind the ports, and the configuration of the SDK's clients.
//!
//! The configuration comes only from the environment that Lambda sets: there are no profiles, no metadata
//! service and no requests at startup. `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_<SERVICE>` are supported as
//! in every SDK. The reasons, with measurements, are in `docs/decisions/0004-tls-and-sdk.md`.

mod connector;
mod container;
pub mod dynamodb;
mod http_client;
mod idempotency;
mod public_client;
mod queue;
#[cfg(any(test, feature = "test-support"))]
#[expect(clippy::unwrap_used, clippy::expect_used, reason = "only tests use it")]
pub mod stub_connector;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector, http_client_fn};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use std::time::Duration;

pub use http_client::{SignedClient, UnsignedClient};
pub use idempotency::DynamoDbIdempotencyStore;
pub use public_client::{PublicClient, Unreachable};
pub use queue::{DeadLetterQueue, Queue};

use connector::{Connector, aws_roots, machine_roots};
use container::ContainerCredentials;
use platform::config;
use platform::http_client::CONNECT_TIMEOUT;
use queue::Sqs;

/// Creates the adapters of a function, which share one configuration and one HTTPS client.
#[derive(Debug, Clone)]
pub struct Aws {
    config: SdkConfig,
    connector: Connector,
    credentials: SharedCredentialsProvider,
    region: String,
}

impl Aws {
    /// Reads the configuration from the environment of Lambda, or of a container, whose credentials rotate.
    ///
    /// # Errors
    /// When the region or the credentials are missing.
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

    /// The same region and endpoint with other credentials.
    pub fn with_credentials(&self, key_id: &str, secret: &str, session: &str) -> Self {
        let credentials = Credentials::new(key_id, secret, Some(session.to_owned()), None, "given");
        let credentials = SharedCredentialsProvider::new(credentials);
        Self::new(self.region.clone(), credentials, self.config.endpoint_url().map(str::to_owned))
    }

    fn new(region: String, credentials: SharedCredentialsProvider, endpoint: Option<String>) -> Self {
        let connector = Connector::new(aws_roots(), CONNECT_TIMEOUT);
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.clone()))
            .credentials_provider(credentials.clone())
            .service_config(ServiceEndpoints)
            .http_client(sdk_client(connector.clone()))
            .sleep_impl(TokioSleep::new())
            .retry_config(RetryConfig::standard())
            // Leaves time for another attempt within the timeout of a function.
            .timeout_config(
                TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(5)).build(),
            );
        config.set_endpoint_url(endpoint);
        Self { config: config.build(), connector, credentials, region }
    }

    /// The configuration for clients of services that only one package uses.
    pub fn sdk_config(&self) -> &SdkConfig {
        &self.config
    }

    /// A client for DynamoDB.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config)
    }

    /// The idempotency store in the table named `table`.
    pub fn idempotency_store(&self, table: String) -> DynamoDbIdempotencyStore {
        DynamoDbIdempotencyStore::new(self.dynamodb(), table)
    }

    /// The queue in `QUEUE_URL`, with the DLQ in `DEAD_LETTER_QUEUE_URL`.
    ///
    /// # Errors
    /// When one of the variables is not set.
    pub fn queue(&self) -> anyhow::Result<Queue> {
        Ok(self.queue_at(config::required("QUEUE_URL")?, config::required("DEAD_LETTER_QUEUE_URL")?))
    }

    /// The queue at `url`, with the DLQ at `dlq_url`.
    pub fn queue_at(&self, url: String, dlq_url: String) -> Queue {
        let sqs = Sqs::new(&self.config);
        Queue::new(sqs.clone(), url, DeadLetterQueue::new(sqs, dlq_url))
    }

    /// The DLQ in `DEAD_LETTER_QUEUE_URL`, for a function that is not invoked by a queue.
    ///
    /// # Errors
    /// When the variable is not set.
    pub fn dead_letter_queue(&self) -> anyhow::Result<DeadLetterQueue> {
        Ok(DeadLetterQueue::new(Sqs::new(&self.config), config::required("DEAD_LETTER_QUEUE_URL")?))
    }

    /// A client whose requests are signed for the AWS service named `service`: `execute-api` for HTTP APIs
    /// that API Gateway protects with IAM.
    pub fn signed_client(&self, service: &'static str) -> SignedClient {
        SignedClient::new(self.connector.clone(), self.credentials.clone(), &self.region, service)
    }
}

/// The HTTPS client for the SDK of a program outside of Lambda: it trusts the root certificates of the machine.
pub fn https_client() -> SharedHttpClient {
    sdk_client(Connector::new(machine_roots(), CONNECT_TIMEOUT))
}

/// All clients of the SDK share `connector`. By default, each makes its own.
fn sdk_client(connector: Connector) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(connector);
    http_client_fn(move |_, _| connector.clone())
}

/// Service-specific endpoints such as `AWS_ENDPOINT_URL_DYNAMODB`, which override `AWS_ENDPOINT_URL`
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>).
#[derive(Debug)]
struct ServiceEndpoints;

impl LoadServiceConfig for ServiceEndpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().replace(' ', "_").to_uppercase();
        std::env::var(format!("{}_{service}", key.env())).ok().filter(|url| !url.is_empty())
    }
}
