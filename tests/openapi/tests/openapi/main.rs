//! The contract, held against the repository and against the services.

mod repository;
