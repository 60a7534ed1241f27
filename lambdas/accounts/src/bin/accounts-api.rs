//! `accounts-api`: API Gateway → account service.

use std::sync::Arc;

use accounts::adapters::DynamoDbProfiles;
use accounts::api::{Api, router};
use aws::{Aws, UnsignedClient};
use platform::clock::SystemClock;
use platform::{host, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let profiles = Arc::new(DynamoDbProfiles::from_env(Aws::from_env()?.dynamodb())?);
    host::http::run(router(Api { profiles, clock: Arc::new(SystemClock) }), UnsignedClient::new).await
}
