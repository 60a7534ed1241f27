//! `record-sale`: records the events of orders in the sales ledger.

use std::sync::Arc;

use aws::Aws;
use platform::clock::SystemClock;
use platform::publisher::NoPublisher;
use platform::{host, telemetry};
use sales::adapters::DynamoDbLedger;
use sales::ledger::record::RecordSale;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let ledger = Arc::new(DynamoDbLedger::from_env(aws.dynamodb())?);
    let handler = RecordSale { ledger, clock: Arc::new(SystemClock) };
    host::queue::run(env!("CARGO_BIN_NAME"), aws.queue()?, NoPublisher, handler).await
}
