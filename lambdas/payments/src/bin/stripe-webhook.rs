//! `stripe-webhook`: receives webhooks of Stripe through API Gateway, and publishes them on the bus.

use aws::{Aws, UnsignedClient};
use payments::webhook::router;
use platform::{host, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let api = payments::adapters::webhook_api(&Aws::from_env()?)?;
    host::http::warm_up(api.secrets.cached()).await;
    host::http::run(router(api), UnsignedClient::new).await
}
