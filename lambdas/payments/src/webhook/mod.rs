//! `stripe-webhook`: what Stripe tells unasked, put on the bus (<https://docs.stripe.com/webhooks>).
//!
//! | module | is |
//! |---|---|
//! | [`signature`] | who sent it: the header `Stripe-Signature` |
//! | [`secrets`] | what it is signed with, also while that is being rotated |
//! | [`report`] | what it says |
//! | [`api`] | the route |

pub mod api;
pub mod report;
pub mod secrets;
pub mod signature;

pub use api::{WebhookApi, router};
pub use secrets::{Secrets, SigningSecret};
