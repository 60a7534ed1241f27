//! Implementations of the ports with DynamoDB and Stripe, and in memory for tests.

#[cfg(feature = "test-support")]
pub mod memory;
mod payments;
mod stripe;
mod webhook_secret;

pub use payments::DynamoDbPayments;
pub use stripe::Stripe;

use aws_events::EventBridge;
use aws_secrets::Secret;
use std::sync::Arc;
use std::time::Duration;

use aws::{Aws, UnsignedClient};
use platform::clock::SystemClock;
use platform::config;

use crate::arbiter::Arbiter;
use crate::webhook::{Secrets, WebhookApi};

/// The timeout of a call to Stripe. A charge takes a second or two, and three calls fit into the function's
/// timeout.
const STRIPE_TIMEOUT: Duration = Duration::from_secs(8);

/// Creates the arbiter for the table in `PAYMENTS_TABLE` and the Stripe API at `STRIPE_API_BASE`, with the
/// API key in the secret `STRIPE_SECRET_ID`.
///
/// # Errors
/// When one of the variables is not set or invalid.
pub fn arbiter(aws: &Aws) -> anyhow::Result<Arbiter> {
    let key = Secret::new(aws.sdk_config(), config::required("STRIPE_SECRET_ID")?);
    let base = config::optional("STRIPE_API_BASE", "https://api.stripe.com".to_owned())?;
    Ok(Arbiter {
        payments: Arc::new(DynamoDbPayments::from_env(aws.dynamodb())?),
        provider: Arc::new(Stripe::new(UnsignedClient::new(STRIPE_TIMEOUT), &base, key)),
        clock: Arc::new(SystemClock),
    })
}

/// Creates the dependencies of `stripe-webhook`: the bus in `EVENT_BUS` and the secret
/// `STRIPE_WEBHOOK_SECRET_ID`.
///
/// # Errors
/// When one of the variables is not set.
pub fn webhook_api(aws: &Aws) -> anyhow::Result<WebhookApi> {
    let secret = Secret::new(aws.sdk_config(), config::required("STRIPE_WEBHOOK_SECRET_ID")?);
    Ok(WebhookApi {
        secrets: Secrets::new(Arc::new(secret), Arc::new(SystemClock)),
        publisher: Arc::new(EventBridge::publisher(aws.sdk_config())?),
        clock: Arc::new(SystemClock),
    })
}
