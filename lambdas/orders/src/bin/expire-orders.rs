//! `expire-orders`: every minute → what is late.

use std::sync::Arc;

use jiff::SignedDuration;
use orders::adapters::{DynamoDbOrders, DynamoDbOutbox};
use orders::expire::ExpireOrders;
use orders::relay::RelayOutbox;
use platform::aws::Aws;
use platform::clock::SystemClock;
use platform::{config, host, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let job = ExpireOrders {
        orders: Arc::new(DynamoDbOrders::from_env(aws.dynamodb())?),
        relay: RelayOutbox {
            publisher: Arc::new(aws.event_bridge()?),
            outbox: Arc::new(DynamoDbOutbox::from_env(aws.dynamodb())?),
        },
        clock: Arc::new(SystemClock),
        expire_after: SignedDuration::from_secs(config::optional("EXPIRE_AFTER_SECONDS", 1800_u32)?.into()),
    };
    host::schedule::run(job).await
}
