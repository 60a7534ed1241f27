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
//! | [`snapshot`] | the records as snapshots, and the rules that each change is checked against |
//! | [`lambda`] | the Lambda service, which invokes the functions |
//! | [`services`] | the functions of each service, its invariants and its clients |
//! | [`functions`], [`ports`], [`email`] | the ports of the functions |
//! | [`clients`], [`staff`] | the clients, which place and cancel orders; the staff, who change prices and stock |
//! | [`history`] | the history of the clients' requests, and their reads |
//! | [`webhooks`], [`foreign_reports`] | the provider's webhooks; forged ones, and those that are not for the shop |
//! | [`publisher`] | a publisher that contradicts the events of the services |
//! | [`observed`], [`expectations`] | what happened, and the rules about what should have happened |
//! | [`scenarios`], [`crash_pass`] | a fault at every call of a few scenarios, and the ends that are expected |
//! | [`recording`] | the metrics of a run, for the alarms |
//! | [`setup`], [`run`], [`mutation`] | one run, as the system ships or with a protection switched off |

pub mod clients;
pub mod crash_pass;
pub mod email;
pub mod expectations;
pub mod faults;
pub mod foreign_reports;
pub mod functions;
pub mod history;
pub mod lambda;
pub mod mutation;
pub mod observed;
pub mod ports;
pub mod publisher;
pub mod queue;
pub mod recording;
pub mod run;
pub mod scenarios;
pub mod scheduler;
pub mod services;
pub mod setup;
pub mod sim;
pub mod snapshot;
pub mod staff;
pub mod webhooks;
pub mod wiring;
pub mod world;
