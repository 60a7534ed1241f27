//! `settle-reservation`: payment events → inventory API → committed or released reservations.

use aws::Aws;
use aws_events::EventBridge;
use inventory::adapters::inventory_api;
use inventory::settle::SettleReservation;
use platform::{host, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let handler = SettleReservation { inventory: inventory_api(&aws)? };
    host::queue::run(env!("CARGO_BIN_NAME"), aws.queue()?, EventBridge::publisher(aws.sdk_config())?, handler)
        .await
}
