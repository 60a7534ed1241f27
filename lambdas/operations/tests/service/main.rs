//! `check-health` and `health-api`, over a shop, queues and a table in memory.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod check;
mod shop;
