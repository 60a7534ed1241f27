//! `orders-api`: API Gateway → orders.

use std::sync::Arc;

use orders::adapters::DynamoDbOrders;
use orders::api::{Api, router};
use platform::aws::Aws;
use platform::clock::SystemClock;
use platform::{host, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let orders = Arc::new(DynamoDbOrders::from_env(aws.dynamodb())?);
    host::http::run(router(Api { orders, clock: Arc::new(SystemClock) })).await
}
