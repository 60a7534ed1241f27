//! `inventory-api`: API Gateway → products, stock and reservations.

use std::sync::Arc;

use aws::{Aws, UnsignedClient};
use domain::OrderId;
use inventory::adapters::{DynamoDbProducts, DynamoDbReservations};
use inventory::api::{Api, router};
use inventory::store::Reservations;
use platform::clock::SystemClock;
use platform::{host, telemetry};
use uuid::Uuid;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let client = Aws::from_env()?.dynamodb();
    let reservations = Arc::new(DynamoDbReservations::from_env(client.clone())?);
    host::http::warm_up(reservations.get(OrderId::from(Uuid::nil()))).await;
    let api = Api {
        products: Arc::new(DynamoDbProducts::from_env(client)?),
        reservations,
        clock: Arc::new(SystemClock),
    };
    host::http::run(router(api), UnsignedClient::new).await
}
