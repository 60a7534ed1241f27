//! `health-api`: serves the latest result of `check-health` through API Gateway.

use std::sync::Arc;

use aws::{Aws, UnsignedClient};
use operations::adapters::DynamoDbReports;
use operations::api::{Api, router};
use operations::store::Reports;
use platform::clock::SystemClock;
use platform::{host, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let reports = Arc::new(DynamoDbReports::from_env(Aws::from_env()?.dynamodb())?);
    host::http::warm_up(reports.last()).await;
    host::http::run(router(Api { reports, clock: Arc::new(SystemClock) }), UnsignedClient::new).await
}
