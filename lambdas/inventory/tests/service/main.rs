//! The inventory service with in-memory ports: its API and its functions, which call the API.
#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test")]

mod checkpoints;
mod corpus;
mod dialects;
mod faults;
mod functions;
mod imports;
mod overtaken;
mod products;
mod reservations;
mod support;
