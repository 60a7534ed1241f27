//! `import-stock`: uploaded file → products and stock.

use aws_objects::Bucket;
use std::sync::Arc;

use aws::Aws;
use inventory::adapters::{DynamoDbImports, DynamoDbStock, SqsResumeQueue};
use inventory::import::ImportStock;
use platform::clock::SystemClock;
use platform::publisher::NoPublisher;
use platform::{config, host, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let handler = ImportStock {
        files: Arc::new(Bucket::new(aws.sdk_config(), config::required("IMPORTS_BUCKET")?)),
        imports: Arc::new(DynamoDbImports::from_env(aws.dynamodb())?),
        stock: Arc::new(DynamoDbStock::from_env(aws.dynamodb())?),
        resume_queue: Arc::new(SqsResumeQueue::from_env(&aws)?),
        clock: Arc::new(SystemClock),
    };
    host::queue::run(env!("CARGO_BIN_NAME"), aws.queue()?, NoPublisher, handler).await
}
