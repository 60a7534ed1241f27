//! `process-upload`: uploaded files → product images.

use aws_events::EventBridge;
use aws_objects::Bucket;
use std::sync::Arc;

use aws::Aws;
use media::adapters::{BlockingRenderer, DynamoDbImages, S3Quarantine, scanner};
use media::process::ProcessUpload;
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
        renderer: Arc::new(BlockingRenderer),
        renditions: Arc::new(Bucket::new(aws.sdk_config(), config::required("RENDITIONS_BUCKET")?)),
        clock: Arc::new(SystemClock),
    };
    host::queue::run(env!("CARGO_BIN_NAME"), aws.queue()?, EventBridge::publisher(aws.sdk_config())?, handler)
        .await
}
