//! `exports-api`: the API for exports and reports.

use aws_objects::Bucket;
use std::sync::Arc;

use aws::{Aws, UnsignedClient};
use documents::adapters::{DynamoDbExports, SqsExportQueue, StoredLinkSecret};
use documents::day::time_zone_from_env;
use documents::export::api::{Api, router};
use documents::export::store::Exports;
use documents::report::link::LinkSigner;
use platform::clock::SystemClock;
use platform::{config, host, telemetry};
use uuid::Uuid;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let exports = Arc::new(DynamoDbExports::from_env(aws.dynamodb())?);
    host::http::warm_up(exports.get(Uuid::nil().into())).await;
    let api = Api {
        exports,
        queue: Arc::new(SqsExportQueue::from_env(&aws)?),
        files: Arc::new(Bucket::new(aws.sdk_config(), config::required("DOCUMENTS_BUCKET")?)),
        links: LinkSigner::new(Arc::new(StoredLinkSecret::from_env(&aws)?), Arc::new(SystemClock)),
        clock: Arc::new(SystemClock),
        zone: time_zone_from_env()?,
    };
    host::http::run(router(api), UnsignedClient::new).await
}
