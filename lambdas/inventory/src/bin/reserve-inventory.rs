//! `reserve-inventory`: new orders → the inventory's API → whether their stock is held.

use std::sync::Arc;

use inventory::adapters::inventory_api;
use inventory::reserve::ReserveInventory;
use platform::aws::Aws;
use platform::clock::SystemClock;
use platform::{host, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let handler = ReserveInventory { inventory: inventory_api(&aws)?, clock: Arc::new(SystemClock) };
    host::queue::run(env!("CARGO_BIN_NAME"), &aws, aws.event_bridge()?, handler).await
}
