//! The contract, held against the repository and against the services.

mod bodies;
mod client;
mod fuzz;
mod generate;
mod repository;
mod texts;
