//! The system satisfies every invariant in random runs and with a fault at every call, and each check detects what it is
//! for. One program: each would link all services.

#![expect(clippy::unwrap_used, reason = "a failing helper fails the test")]

mod crashes;
mod functions;
mod mutations;
mod personal_data;
mod scheduler;
mod seeds;
mod service_crashes;
mod webhooks;
mod wiring;
