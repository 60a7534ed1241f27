//! Checks the API contract against the repository and against the services.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic in a helper fails the test")]

mod bodies;
mod client;
mod fuzz;
mod generate;
mod repository;
mod scalars;
