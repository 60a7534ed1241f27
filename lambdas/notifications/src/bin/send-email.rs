//! `send-email`: sends emails to customers about the outcome of their orders.

use std::sync::Arc;

use aws::Aws;
use notifications::adapters::Ses;
use notifications::names::ProductNames;
use notifications::send::SendEmail;
use platform::clock::SystemClock;
use platform::idempotency::Idempotency;
use platform::publisher::NoPublisher;
use platform::{config, host, telemetry};
use product_catalogue::HttpCatalogue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let claims = aws.idempotency_store(config::required("EMAILS_TABLE")?);
    let inventory = config::required("INVENTORY_API_URL")?;
    // The products are public. Requests are signed because the signing client shares its connections with the SDK.
    let catalogue = Arc::new(HttpCatalogue::new(aws.signed_client("execute-api"), &inventory));
    let handler = SendEmail {
        idempotency: Idempotency::new(Arc::new(claims), Arc::new(SystemClock)),
        mailer: Arc::new(Ses::from_env(&aws)?),
        names: ProductNames::new(catalogue, Arc::new(SystemClock)),
        shop: config::optional("SHOP_NAME", "The shop".to_owned())?,
        clock: Arc::new(SystemClock),
    };
    host::queue::run(env!("CARGO_BIN_NAME"), aws.queue()?, NoPublisher, handler).await
}
