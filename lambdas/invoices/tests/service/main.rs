//! Invoices, with ports in memory.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod api;
mod issue;
mod numbers;
mod page;
mod pdf;
mod support;
