//! `deliver-webhook`: delivers events about orders to the partner of the customer.

use std::sync::Arc;
use std::time::Duration;

use aws::{Aws, PublicClient};
use jiff::SignedDuration;
use partners::adapters::{DynamoDbDeliveries, DynamoDbPartners};
use partners::deliver::DeliverWebhook;
use partners::delivery::Backoff;
use partners::endpoint::test_receiver;
use platform::clock::SystemClock;
use platform::publisher::NoPublisher;
use platform::{config, host, telemetry};

/// The timeout of a request to a receiver: a third of the timeout of the function.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let handler = DeliverWebhook {
        partners: Arc::new(DynamoDbPartners::from_env(aws.dynamodb())?),
        deliveries: Arc::new(DynamoDbDeliveries::from_env(aws.dynamodb())?),
        client: Arc::new(PublicClient::new(RESPONSE_TIMEOUT, test_receiver()?)),
        clock: Arc::new(SystemClock),
        backoff: Backoff {
            base_delay: Duration::from_secs(config::optional("WEBHOOK_RETRY_BASE_SECONDS", 5_u64)?),
        },
        disable_after: SignedDuration::from_secs(
            config::optional("WEBHOOK_DISABLE_AFTER_SECONDS", 5 * 24 * 60 * 60_u32)?.into(),
        ),
    };
    host::queue::run(env!("CARGO_BIN_NAME"), aws.queue()?, NoPublisher, handler).await
}
