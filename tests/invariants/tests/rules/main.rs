//! For each rule: a system that satisfies it, and the smallest change that violates it.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod builder;
mod history;
mod sample;
mod snapshot;
mod transition;
