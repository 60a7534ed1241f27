//! Checks the contracts for the in-memory implementations, and for wrong ones, which violate them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod memory;
mod worlds;
mod wrong;
