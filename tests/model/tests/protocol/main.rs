//! The protocol satisfies every property, and the checker detects each mutation.

mod mutants;
mod scopes;
mod subscriptions;
