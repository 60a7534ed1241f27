//! The search service over in-memory ports: its API, its functions, and its index with injected faults.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod api;
mod entries;
mod find;
mod index;
mod names;
mod rebuild;
mod spellings;
mod support;
mod writers;
