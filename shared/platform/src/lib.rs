//! What every function needs from outside, behind ports that a test or a simulation can stand in for.
//!
//! | module | is |
//! |---|---|
//! | [`handler`] | what a handler is: one event in, the events that it causes or a failure out |
//! | [`host`] | how a handler is called: by a queue, a stream, HTTP or a schedule |
//! | [`publisher`] | how events get onto the bus |
//! | [`idempotency`] | effects that no domain record protects, once |
//! | [`retry`] | how long to wait before trying again |
//! | [`http`] | requests, problems (RFC 9457), and the client for calling others |
//! | [`objects`] | files in a bucket |
//! | [`net`] | which addresses are on the public internet |
//! | [`clock`] | time, ids and chance |
//! | [`config`], [`telemetry`], [`metrics`] | environment variables; JSON logs; metrics |
//! | [`aws`] | the adapters: the only place here that knows the AWS SDK |
//! | [`memory`] | the ports in memory, for tests and simulations |

pub mod aws;
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
