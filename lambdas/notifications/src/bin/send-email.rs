//! `send-email`: sends emails to customers about the outcome of their orders.

use std::sync::Arc;

use aws::Aws;
use notifications::adapters::Ses;
use notifications::send::SendEmail;
use platform::clock::SystemClock;
use platform::idempotency::Idempotency;
use platform::publisher::NoPublisher;
use platform::{config, host, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let claims = aws.idempotency_store(config::required("EMAILS_TABLE")?);
    let handler = SendEmail {
        idempotency: Idempotency::new(Arc::new(claims), Arc::new(SystemClock)),
        mailer: Arc::new(Ses::from_env(&aws)?),
        shop: config::optional("SHOP_NAME", "The shop".to_owned())?,
    };
    host::queue::run(env!("CARGO_BIN_NAME"), aws.queue()?, NoPublisher, handler).await
}
