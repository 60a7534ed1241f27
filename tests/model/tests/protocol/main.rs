//! The protocol holds, and the checker notices when it does not.

mod mutants;
mod scopes;
mod subscriptions;
