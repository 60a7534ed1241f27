//! The whole system in one process, in virtual time: the handlers and hosts as they ship, over ports in memory, with
//! every fault at every call.
//!
//! | module | is |
//! |---|---|
//! | [`scheduler`] | the executor in virtual time |
//! | [`sim`] | chance, faults and the trace; how a function reaches anything outside |
//! | [`faults`] | what goes wrong, and how often |
//! | [`wiring`] | who listens to what, from `template.yaml` |
//! | [`world`], [`queue`] | tables, provider, bus, queues, stream |
//! | [`lambda`] | the service that calls the functions |
//! | [`functions`], [`ports`], [`mail`] | the functions over their ports |
//! | [`shop`] | the customers |
//! | [`webhooks`] | what the provider tells unasked |
//! | [`run`] | one run; [`planted`]: with a protection switched off |

pub mod faults;
pub mod functions;
pub mod lambda;
pub mod mail;
pub mod planted;
pub mod ports;
pub mod queue;
pub mod run;
pub mod scheduler;
pub mod shop;
pub mod sim;
pub mod webhooks;
pub mod wiring;
pub mod world;
