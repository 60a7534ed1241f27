//! `expire-orders`: schedule (every minute) → overdue orders and missed events.

use aws_events::EventBridge;
use std::sync::Arc;
use std::time::Duration;

use aws::Aws;
use jiff::SignedDuration;
use orders::adapters::{DynamoDbOrders, DynamoDbOutbox};
use orders::expire::ExpireOrders;
use orders::relay::RelayOutbox;
use platform::clock::SystemClock;
use platform::{config, host, telemetry};

/// The time limit of a run, below the function's timeout of 60 seconds. The next run continues with the rest.
const TIME_LIMIT: Duration = Duration::from_secs(40);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let job = ExpireOrders {
        orders: Arc::new(DynamoDbOrders::from_env(aws.dynamodb())?),
        relay: RelayOutbox {
            publisher: Arc::new(EventBridge::publisher(aws.sdk_config())?),
            outbox: Arc::new(DynamoDbOutbox::from_env(aws.dynamodb())?),
        },
        clock: Arc::new(SystemClock),
        expire_after: SignedDuration::from_secs(config::optional("EXPIRE_AFTER_SECONDS", 1800_u32)?.into()),
        time_limit: TIME_LIMIT,
    };
    host::schedule::run(job).await
}
