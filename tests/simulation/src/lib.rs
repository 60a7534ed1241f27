//! A deterministic simulation of the whole system in one process, in virtual time: the handlers and hosts as
//! they ship, with in-memory ports, and every fault at every call.
//!
//! | Module | Contents |
//! |---|---|
//! | [`scheduler`] | the executor in virtual time |
//! | [`sim`] | randomness, faults and the trace; how a function calls its dependencies |
//! | [`faults`] | the faults, and their probabilities |
//! | [`wiring`] | the subscriptions, from `template.yaml` |
//! | [`world`], [`queue`] | tables, provider, bus, queues, streams |
//! | [`lambda`] | the Lambda service, which invokes the functions |
//! | [`services`] | the functions of each service, its invariants and its clients |
//! | [`functions`], [`ports`], [`email`] | the ports of the functions |
//! | [`clients`] | the clients, which place and cancel orders |
//! | [`webhooks`] | the provider's webhooks |
//! | [`setup`], [`run`], [`mutation`] | one run, as the system ships or with a protection switched off |

pub mod clients;
pub mod email;
pub mod faults;
pub mod functions;
pub mod lambda;
pub mod mutation;
pub mod ports;
pub mod queue;
pub mod run;
pub mod scheduler;
pub mod services;
pub mod setup;
pub mod sim;
pub mod webhooks;
pub mod wiring;
pub mod world;
