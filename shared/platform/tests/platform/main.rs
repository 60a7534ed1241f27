//! The hosts over ports in memory, and HTTP as clients see it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod bearer;
mod http;
mod idempotency;
mod page;
mod queue;
mod sample;
mod stream;
