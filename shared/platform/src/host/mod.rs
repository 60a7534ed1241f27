//! How a handler is called. A function's `main` picks the host for its trigger.

mod gateway;
pub mod http;
pub mod queue;
mod payload;
pub mod record;
pub mod schedule;
pub mod stream;
pub mod trigger;

/// What ends a host.
pub type Error = lambda_runtime::Error;
