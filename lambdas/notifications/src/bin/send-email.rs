//! `send-email`: what became of an order → a mail to the customer.

use std::sync::Arc;

use notifications::adapters::{DynamoDbClaims, Ses};
use notifications::send::SendEmail;
use platform::aws::Aws;
use platform::clock::SystemClock;
use platform::publisher::NoPublisher;
use platform::{config, host, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let handler = SendEmail {
        claims: Arc::new(DynamoDbClaims::from_env(aws.dynamodb())?),
        mailer: Arc::new(Ses::from_env(&aws)?),
        clock: Arc::new(SystemClock),
        shop: config::optional("SHOP_NAME", "The shop".to_owned())?,
    };
    host::queue::run(env!("CARGO_BIN_NAME"), &aws, NoPublisher, handler).await
}
