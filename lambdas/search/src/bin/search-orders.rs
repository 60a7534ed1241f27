//! `search-orders`: API Gateway → search index.

use std::sync::Arc;

use aws::{Aws, UnsignedClient};
use domain::OrderId;
use platform::clock::SystemClock;
use platform::{host, telemetry};
use search::adapters::DynamoDbRows;
use search::api::{Api, router};
use search::postings::PostingsIndex;
use search::postings::store::Rows;
use uuid::Uuid;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let rows = DynamoDbRows::from_env(Aws::from_env()?.dynamodb())?;
    host::http::warm_up(rows.records(&[OrderId::from(Uuid::nil())])).await;
    let index = Arc::new(PostingsIndex::new(rows, Arc::new(SystemClock)));
    host::http::run(router(Api { index }), UnsignedClient::new).await
}
