//! `relay-outbox`: the outbox's stream → the bus.

use std::sync::Arc;

use orders::adapters::DynamoDbOutbox;
use orders::relay::RelayOutbox;
use platform::aws::Aws;
use platform::{host, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let handler = RelayOutbox {
        publisher: Arc::new(aws.event_bridge()?),
        outbox: Arc::new(DynamoDbOutbox::from_env(aws.dynamodb())?),
    };
    host::stream::run(env!("CARGO_BIN_NAME"), &aws, handler).await
}
