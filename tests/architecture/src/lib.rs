//! Checks what the compiler and the linters do not see: that `template.yaml`, the packages and the sample
//! events comply with the rules of the repository's architecture.
//!
//! A check is a function that returns a list of violations; each violation says how to fix it. The repository has
//! none (`tests/repository.rs`), and the unit tests of each check show that it finds the faults that it is for.
//!
//! | module | content |
//! |---|---|
//! | [`template`] | the parsed template: resources, the permissions of roles, the participants of the order process |
//! | [`functions`] | checks that functions, binaries, sample events and log groups match |
//! | [`queues`] | checks that no event is lost on its way to a function, and that dead letters raise an alarm |
//! | [`metrics`] | checks that an alarm can fire, and the counts in the table of costs |
//! | [`idempotency`] | checks that claims on effects are kept for as long as a message can be redelivered |
//! | [`permissions`] | checks that each function has least privilege |
//! | [`usage`] | checks that the granted permissions are exactly those that the adapters' calls need |
//! | [`events`] | checks that subscriptions and sample events refer to events that exist |
//! | [`contracts`] | checks that each adapter with a conditional request has a contract |
//! | [`catalogue`] | generates the event catalogue from the types |
//! | [`states`] | draws the state machines from the rules of `domain` |
//! | [`packages`] | checks the dependencies between the layers |
//! | [`services`] | checks that each service has the same files for the same things |
//! | [`modules`] | checks the imports between the modules of a crate |
//! | [`personal_data`] | where personal data may be stored |
//! | [`requests`] | checks that requests meet the current rules for text |
//! | [`documents`] | links and paths in documents exist |
//! | [`words`] | texts and names use the terms of the field |

pub mod catalogue;
pub mod contracts;
pub mod documents;
pub mod events;
pub mod functions;
pub mod idempotency;
pub mod metrics;
pub mod modules;
pub mod packages;
pub mod permissions;
pub mod personal_data;
pub mod queues;
pub mod requests;
pub mod services;
pub mod states;
pub mod template;
pub mod usage;
pub mod words;
pub mod workspace;

#[cfg(test)]
mod mutant;

/// The violations of a rule, each with a hint how to fix it.
pub type Violations = Vec<String>;
