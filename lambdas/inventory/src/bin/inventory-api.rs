//! `inventory-api`: API Gateway → products, stock and reservations.

use std::sync::Arc;

use inventory::adapters::{DynamoDbProducts, DynamoDbReservations};
use inventory::api::{Api, router};
use platform::aws::Aws;
use platform::clock::SystemClock;
use platform::{host, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let client = Aws::from_env()?.dynamodb();
    let api = Api {
        products: Arc::new(DynamoDbProducts::from_env(client.clone())?),
        reservations: Arc::new(DynamoDbReservations::from_env(client)?),
        clock: Arc::new(SystemClock),
    };
    host::http::run(router(api)).await
}
