//! `process-payment`: charges the customer when stock has been reserved.

use aws::Aws;
use aws_events::EventBridge;
use payments::arbiter::ProcessPayment;
use platform::{host, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let handler = ProcessPayment(payments::adapters::arbiter(&aws)?);
    host::queue::run(env!("CARGO_BIN_NAME"), aws.queue()?, EventBridge::publisher(aws.sdk_config())?, handler)
        .await
}
