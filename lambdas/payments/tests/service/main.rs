//! The payment service over ports in memory: `process-payment` and `void-payment`, one after the other and against
//! each other.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod arbiter;
mod support;
