//! `stripe-webhook`: receives webhooks of Stripe, and publishes them on the bus
//! (<https://docs.stripe.com/webhooks>).
//!
//! | module | contents |
//! |---|---|
//! | [`signature`] | verifies the header `Stripe-Signature` |
//! | [`secrets`] | caches the signing secrets, also while they are being rotated |
//! | [`report`] | parses the body |
//! | [`api`] | defines the route |

pub mod api;
mod contract;
pub mod report;
pub mod secrets;
pub mod signature;

pub use api::{WebhookApi, router};
pub use secrets::{SecretSource, Secrets};
