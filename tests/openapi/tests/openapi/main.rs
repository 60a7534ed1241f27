//! Checks the API contract against the repository and against the services.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic in a helper fails the test")]

mod bodies;
mod client;
mod fuzz;
mod generate;
mod repository;
mod scalars;

/// The rules for texts that no pattern can express: how their errors begin. Patterns do not look at the characters
/// before and after, and omit those beyond the Basic Multilingual Plane (`shared/domain/src/readable.rs`).
const TEXT_RULES: [&str; 4] = [
    "must not contain invisible characters",
    "must have a visible character",
    "must not contain a web address",
    "the part before @",
];
