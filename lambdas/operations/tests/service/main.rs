//! Tests of `check-health` and `health-api` with a fake shop and in-memory ports.
#![expect(clippy::unwrap_used, reason = "a failure in a helper fails the test")]

mod check;
mod shop;
