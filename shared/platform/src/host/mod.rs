//! The hosts that invoke a handler. A function's `main` chooses the host for its trigger.

pub mod disposition;
mod gateway;
pub mod http;
mod invocation;
mod payload;
pub mod queue;
pub mod record;
pub mod schedule;
pub mod stream;
pub mod trigger;

/// The error that terminates a host.
pub type Error = lambda_runtime::Error;
