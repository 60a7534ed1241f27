//! `index-order`: stream of the orders table → search index.

use std::sync::Arc;

use aws::Aws;
use platform::clock::SystemClock;
use platform::{config, host, telemetry};
use search::adapters::{DynamoDbRows, HttpProductNames};
use search::index_order::IndexOrder;
use search::postings::PostingsIndex;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let clock = Arc::new(SystemClock);
    let rows = DynamoDbRows::from_env(aws.dynamodb())?;
    let inventory = config::required("INVENTORY_API_URL")?;
    let handler = IndexOrder {
        index: Arc::new(PostingsIndex::new(rows, clock.clone())),
        names: Arc::new(HttpProductNames::new(aws.signed_client("execute-api"), &inventory, clock)),
    };
    host::stream::run(env!("CARGO_BIN_NAME"), aws.dead_letter_queue()?, handler).await
}
