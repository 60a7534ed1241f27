//! Tests of the partner service with in-memory ports: its API as partners call it, and its function as it
//! handles events.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure in a helper fails the test")]

mod change;
mod deliver;
mod deliveries;
mod failing;
mod overtaken;
mod parallel;
mod subscribe;
mod support;
