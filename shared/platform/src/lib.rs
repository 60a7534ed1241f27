//! The infrastructure that every function uses, behind ports that tests and simulations can replace.
//!
//! | module | contents |
//! |---|---|
//! | [`handler`] | the handler traits: one event in, the resulting events or a failure out |
//! | [`host`] | the hosts that invoke a handler: from a queue, a stream, HTTP or a schedule |
//! | [`publisher`] | publishing events to the bus |
//! | [`idempotency`] | idempotent execution of effects that no domain record protects |
//! | [`retry`] | exponential backoff with jitter |
//! | [`http`] | requests, problems (RFC 9457) and the HTTP client |
//! | [`objects`] | objects in a bucket |
//! | [`net`] | which addresses are on the public internet |
//! | [`clock`] | time, ids and randomness |
//! | [`config`], [`telemetry`], [`metrics`] | environment variables; JSON logs; metrics |
//! | [`memory`] | in-memory implementations of the ports, for tests and simulations |

pub mod clock;
pub mod config;
pub mod handler;
pub mod host;
pub mod http;
pub mod idempotency;
pub mod memory;
pub mod metrics;
pub mod net;
pub mod objects;
pub mod publisher;
pub mod retry;
pub mod telemetry;

pub use clock::Clock;
pub use handler::{EventHandler, Failure, MessageHandler};
pub use publisher::Publisher;
