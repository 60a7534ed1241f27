//! `process-upload`: files that clients uploaded → pictures of products.

use std::sync::Arc;

use media::adapters::{DynamoDbImages, S3Quarantine, scanner};
use media::process::ProcessUpload;
use platform::aws::Aws;
use platform::clock::SystemClock;
use platform::{config, host, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let handler = ProcessUpload {
        images: Arc::new(DynamoDbImages::from_env(aws.dynamodb())?),
        quarantine: Arc::new(S3Quarantine::from_env(aws.sdk_config())?),
        scanner: scanner()?,
        renditions: Arc::new(aws.bucket(config::required("RENDITIONS_BUCKET")?)),
        clock: Arc::new(SystemClock),
    };
    host::queue::run(env!("CARGO_BIN_NAME"), &aws, aws.event_bridge()?, handler).await
}
