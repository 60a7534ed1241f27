//! The contracts on the ports in memory, and on wrong ones, which break them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod memory;
mod wrong;
