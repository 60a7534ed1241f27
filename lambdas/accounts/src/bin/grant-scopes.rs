//! `grant-scopes`: Cognito sign-in → scopes of the access token.

use std::sync::Arc;

use accounts::adapters::DynamoDbProfiles;
use accounts::grant::GrantScopes;
use aws::Aws;
use platform::{host, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let profiles = Arc::new(DynamoDbProfiles::from_env(Aws::from_env()?.dynamodb())?);
    host::trigger::run("sign-in", GrantScopes { profiles }).await
}
