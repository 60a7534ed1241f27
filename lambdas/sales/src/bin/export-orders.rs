//! `export-orders`: writes the files of requested exports.

use std::sync::Arc;

use aws::Aws;
use aws_objects::Bucket;
use platform::clock::SystemClock;
use platform::publisher::NoPublisher;
use platform::{config, host, telemetry};
use sales::adapters::{DynamoDbExports, DynamoDbLedger, SqsExportQueue};
use sales::export::run::{ExportOrders, Limits};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let handler = ExportOrders {
        exports: Arc::new(DynamoDbExports::from_env(aws.dynamodb())?),
        sales: Arc::new(DynamoDbLedger::from_env(aws.dynamodb())?),
        files: Arc::new(Bucket::new(aws.sdk_config(), config::required("DOCUMENTS_BUCKET")?)),
        queue: Arc::new(SqsExportQueue::from_env(&aws)?),
        clock: Arc::new(SystemClock),
        limits: Limits::default(),
    };
    host::queue::run(env!("CARGO_BIN_NAME"), aws.queue()?, NoPublisher, handler).await
}
