//! The inventory service over ports in memory: its API as clients call it, and its functions, which call that API.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod faults;
mod functions;
mod imports;
mod products;
mod reservations;
mod support;
