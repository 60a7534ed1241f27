//! The notification service over ports in memory: what the mails say, and that each is sent once.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod mail;
mod send;
mod support;
