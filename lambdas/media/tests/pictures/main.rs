//! The media service over ports in memory: pictures of all kinds, good and bad, and uploads from asking to showing.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod bad;
mod good;
mod support;
mod uploads;
