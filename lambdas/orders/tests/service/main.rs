//! The order service over ports in memory: its API as clients call it, and its functions as events come in.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod cancel;
mod expire;
mod list;
mod owner;
mod place;
mod support;
mod track;
