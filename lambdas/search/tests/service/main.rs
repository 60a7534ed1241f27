//! The search over ports in memory: its API, its functions, and its index with everything going wrong.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod api;
mod find;
mod index;
mod names;
mod rebuild;
mod support;
mod writers;
