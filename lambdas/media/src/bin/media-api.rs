//! `media-api`: API Gateway → uploads and product images.

use aws_objects::Bucket;
use std::sync::Arc;

use aws::{Aws, UnsignedClient};
use media::adapters::{DynamoDbImages, PresignedPost};
use media::api::{Api, router};
use media::store::Images;
use platform::clock::SystemClock;
use platform::{config, host, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let images = Arc::new(DynamoDbImages::from_env(aws.dynamodb())?);
    host::http::warm_up(images.current(&"none".parse()?)).await;
    let api = Api {
        images,
        forms: Arc::new(PresignedPost::from_env(aws.sdk_config())?),
        renditions: Arc::new(Bucket::new(aws.sdk_config(), config::required("RENDITIONS_BUCKET")?)),
        clock: Arc::new(SystemClock),
    };
    host::http::run(router(api), UnsignedClient::new).await
}
