//! The partner service over ports in memory: its API as partners call it, and its function as events come in.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod change;
mod deliver;
mod deliveries;
mod failing;
mod subscribe;
mod support;
