//! The stand-in over HTTP: Stripe's behaviour, and the injected faults.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing helper fails the test")]

mod binary;
mod faults;
mod idempotency;
mod payment_intents;
mod refunds;
mod requests;
mod statuses;
mod support;
mod webhooks;
