//! The stand-in over real HTTP: what it keeps to of Stripe's behaviour, and what its faults do.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod binary;
mod faults;
mod idempotency;
mod payment_intents;
mod refunds;
mod requests;
mod support;
mod webhooks;
