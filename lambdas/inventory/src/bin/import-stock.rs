//! `import-stock`: a file in the bucket → products and stock.

use std::sync::Arc;

use inventory::adapters::{DynamoDbImports, DynamoDbStock, SqsGoOn};
use inventory::import::ImportStock;
use platform::aws::Aws;
use platform::clock::SystemClock;
use platform::publisher::NoPublisher;
use platform::{config, host, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let handler = ImportStock {
        files: Arc::new(aws.bucket(config::required("IMPORTS_BUCKET")?)),
        imports: Arc::new(DynamoDbImports::from_env(aws.dynamodb())?),
        stock: Arc::new(DynamoDbStock::from_env(aws.dynamodb())?),
        go_on: Arc::new(SqsGoOn::from_env(&aws)?),
        clock: Arc::new(SystemClock),
    };
    host::queue::run(env!("CARGO_BIN_NAME"), &aws, NoPublisher, handler).await
}
