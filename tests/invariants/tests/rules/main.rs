//! Each rule: what satisfies it, and the smallest change that breaks it.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod moment;
mod sample;
mod step;
