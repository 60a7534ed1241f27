//! `track-order`: reservation and payment events → orders.

use std::sync::Arc;

use aws::Aws;
use orders::adapters::DynamoDbOrders;
use orders::track::TrackOrder;
use platform::clock::SystemClock;
use platform::publisher::NoPublisher;
use platform::{host, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let orders = Arc::new(DynamoDbOrders::from_env(aws.dynamodb())?);
    let handler = TrackOrder { orders, clock: Arc::new(SystemClock) };
    host::queue::run(env!("CARGO_BIN_NAME"), aws.queue()?, NoPublisher, handler).await
}
