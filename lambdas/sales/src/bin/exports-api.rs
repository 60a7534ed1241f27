//! `exports-api`: the API for exports and reports.

use std::sync::Arc;

use aws::{Aws, UnsignedClient};
use aws_objects::Bucket;
use platform::clock::SystemClock;
use platform::{config, host, telemetry};
use sales::adapters::{DynamoDbExports, SqsExportQueue, StoredLinkSecret};
use sales::export::store::Exports;
use sales::report::link::LinkSigner;
use sales::{api, export, report};
use uuid::Uuid;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let exports = Arc::new(DynamoDbExports::from_env(aws.dynamodb())?);
    host::http::warm_up(exports.get(Uuid::nil().into())).await;
    let clock = Arc::new(SystemClock);
    let files = Arc::new(Bucket::new(aws.sdk_config(), config::required("DOCUMENTS_BUCKET")?));
    let exports = export::api::Api {
        exports,
        queue: Arc::new(SqsExportQueue::from_env(&aws)?),
        files: files.clone(),
        clock: clock.clone(),
        zone: config::time_zone("SHOP_TIME_ZONE")?,
    };
    let links = LinkSigner::new(Arc::new(StoredLinkSecret::from_env(&aws)?), clock.clone());
    let reports = report::api::Api { files, links, clock };
    host::http::run(api::router(exports, reports), UnsignedClient::new).await
}
