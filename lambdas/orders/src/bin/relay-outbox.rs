//! `relay-outbox`: stream of the outbox table → event bus.

use aws_events::EventBridge;
use std::sync::Arc;

use aws::Aws;
use orders::adapters::DynamoDbOutbox;
use orders::relay::RelayOutbox;
use platform::{host, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let handler = RelayOutbox {
        publisher: Arc::new(EventBridge::publisher(aws.sdk_config())?),
        outbox: Arc::new(DynamoDbOutbox::from_env(aws.dynamodb())?),
    };
    host::stream::run(env!("CARGO_BIN_NAME"), aws.dead_letter_queue()?, handler).await
}
