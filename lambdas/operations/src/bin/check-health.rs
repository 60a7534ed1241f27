//! `check-health`: checks the health of the shop every five minutes.

use aws_secrets::Secret;
use std::sync::Arc;
use std::time::Duration;

use aws::{Aws, UnsignedClient};
use operations::adapters::{DynamoDbReports, HttpShop, OAuthClient, SqsQueues};
use operations::check::CheckHealth;
use platform::clock::SystemClock;
use platform::{config, host, telemetry};

/// The timeout of each HTTP request.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let client =
        OAuthClient { id: config::required("CLIENT_ID")?, token_url: config::required("TOKEN_URL")? };
    let secret = Secret::new(aws.sdk_config(), config::required("CLIENT_SECRET_ID")?);
    let base = config::required("API_URL")?;
    let clock = Arc::new(SystemClock);
    let job = CheckHealth {
        shop: Arc::new(HttpShop::new(
            UnsignedClient::new(RESPONSE_TIMEOUT),
            secret,
            client,
            &base,
            clock.clone(),
        )),
        queues: Arc::new(SqsQueues::from_env(&aws, clock.clone())?),
        reports: Arc::new(DynamoDbReports::from_env(aws.dynamodb())?),
        clock,
    };
    host::schedule::run(job).await
}
