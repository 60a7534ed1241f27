//! A deterministic simulation of the whole system in one process, in virtual time: the handlers and hosts as
//! they ship, with in-memory ports, and every fault at every call.
//!
//! | Module | Contents |
//! |---|---|
//! | [`scheduler`] | the executor in virtual time |
//! | [`sim`] | randomness, faults and the trace; how a function calls its dependencies |
//! | [`faults`] | the faults, and their probabilities |
//! | [`wiring`] | the subscriptions, from `template.yaml` |
//! | [`world`], [`queue`] | tables, provider, bus, queues, stream |
//! | [`lambda`] | the Lambda service, which invokes the functions |
//! | [`functions`], [`ports`], [`email`] | the functions and their ports |
//! | [`clients`] | the clients, which place and cancel orders |
//! | [`history`] | the history of the clients' requests, and their reads |
//! | [`webhooks`] | the provider's webhooks |
//! | [`run`], [`mutation`] | one run, as the system ships or with a protection switched off |

pub mod clients;
pub mod email;
pub mod faults;
pub mod functions;
pub mod history;
pub mod lambda;
pub mod mutation;
pub mod ports;
pub mod queue;
pub mod run;
pub mod scheduler;
pub mod sim;
pub mod webhooks;
pub mod wiring;
pub mod world;
