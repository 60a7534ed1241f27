//! The contract, held against the repository and against the services.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod bodies;
mod client;
mod fuzz;
mod generate;
mod repository;
mod texts;
