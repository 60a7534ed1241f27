//! The payment service over ports in memory: `process-payment`, `void-payment` and the provider's reports, one after the
//! other and against each other.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod arbiter;
mod reports;
mod support;
mod webhook;
