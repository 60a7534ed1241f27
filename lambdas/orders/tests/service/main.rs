//! The order service with in-memory ports: its API and its event handlers.
#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test")]

mod cancel;
mod expire;
mod list;
mod owner;
mod place;
mod quota;
mod recipient;
mod support;
mod track;
