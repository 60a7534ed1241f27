//! `reserve-inventory`: new orders → inventory API → confirmed or rejected reservations.

use aws::Aws;
use aws_events::EventBridge;
use inventory::adapters::inventory_api;
use inventory::reserve::ReserveInventory;
use platform::{host, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let handler = ReserveInventory { inventory: inventory_api(&aws)? };
    host::queue::run(env!("CARGO_BIN_NAME"), aws.queue()?, EventBridge::publisher(aws.sdk_config())?, handler)
        .await
}
