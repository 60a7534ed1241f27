//! `deliver-webhook`: what becomes of an order → the partner whose customer's it is.

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

/// How long a receiver has for its answer: a third of what the function has.
const ANSWER_TIME: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let handler = DeliverWebhook {
        partners: Arc::new(DynamoDbPartners::from_env(aws.dynamodb())?),
        deliveries: Arc::new(DynamoDbDeliveries::from_env(aws.dynamodb())?),
        client: Arc::new(PublicClient::new(ANSWER_TIME, test_receiver()?)),
        clock: Arc::new(SystemClock),
        backoff: Backoff {
            base: Duration::from_secs(config::optional("WEBHOOK_RETRY_BASE_SECONDS", 5_u64)?),
        },
        disable_after: SignedDuration::from_secs(
            config::optional("WEBHOOK_DISABLE_AFTER_SECONDS", 5 * 24 * 60 * 60_u32)?.into(),
        ),
    };
    host::queue::run(env!("CARGO_BIN_NAME"), aws.queue()?, NoPublisher, handler).await
}
