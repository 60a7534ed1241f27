//! Tests of the payment service with in-memory ports: `process-payment`, `void-payment` and the provider's
//! reports, one after the other and concurrently.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure in a helper fails the test")]

mod arbiter;
mod finalization;
mod reports;
mod support;
mod webhook;
