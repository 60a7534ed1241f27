//! Checks what the compiler and the linters do not see: that `template.yaml`, the packages and the sample
//! events keep to the rules that the repository is built on.
//!
//! A check is a function from what it looks at to a list of violations; each says what to do about it. None
//! is left in the repository (`tests/repository.rs`), and each check shows beside its code that it finds the
//! fault that it is there for.
//!
//! | module | checks |
//! |---|---|
//! | [`template`] | reads it: its resources, what each role allows, who takes part in what becomes of an order |
//! | [`functions`] | that template, binaries and log groups belong together |
//! | [`queues`] | that no event is lost on the way to a function, or goes unnoticed when it is given up |
//! | [`idempotency`] | that claims on effects outlive whatever can come again |
//! | [`permissions`] | that each function may do what it needs and no more |
//! | [`usage`] | that a permission is there for each call that adapters make, and for no other |
//! | [`events`] | that subscriptions and samples are of events that exist |
//! | [`catalogue`] | that the event catalogue is what the types say |
//! | [`packages`] | that the layers stay apart |

pub mod catalogue;
pub mod events;
pub mod functions;
pub mod idempotency;
pub mod packages;
pub mod permissions;
pub mod queues;
pub mod template;
pub mod usage;
pub mod workspace;

#[cfg(test)]
mod mutant;

/// What breaks a rule, and what to do about it.
pub type Violations = Vec<String>;
