//! The media service over in-memory ports: accepted and rejected files, and uploads from creation to the
//! rendered image.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod accepted;
mod orientation;
mod rejected;
mod support;
mod uploads;
