//! Tests of the hosts with in-memory ports, and of HTTP responses.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod bearer;
mod bodies;
mod http;
mod idempotency;
mod page;
mod queue;
mod sample;
mod stream;
