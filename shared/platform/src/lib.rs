//! The infrastructure that every function uses, behind ports that tests and simulations can replace.
//!
//! A module uses only modules of the floors below its own:
//!
//! | floor | modules |
//! |---|---|
//! | a function's main | [`host`] invokes the handler: from a queue, a stream, HTTP or a schedule; [`telemetry`] writes logs as JSON |
//! | effects and responses | [`idempotency`] of effects that no domain record protects; [`http`]: routes, callers, problems (RFC 9457) |
//! | handlers | `handler`: one event in, the resulting events or a failure out; [`retry`] with exponential backoff; [`optimistic`] locking; `memory`: ports for tests |
//! | ports | [`clock`]: time, ids, randomness; [`publisher`] of events; [`queue`]; [`objects`] in a bucket; [`http_client`] |
//! | spans | [`trace`]: what a function does and what caused it, for distributed tracing |
//! | ground | [`config`] from the environment; [`csv`] for spreadsheets; [`metrics`]; [`net`]: which addresses are public; `failure`; `redact`; `sync` |

pub mod clock;
pub mod config;
pub mod csv;
mod failure;
mod handler;
pub mod host;
pub mod http;
pub mod http_client;
pub mod idempotency;
#[cfg(feature = "test-support")]
pub mod memory;
pub mod metrics;
pub mod net;
pub mod objects;
pub mod optimistic;
pub mod publisher;
pub mod queue;
mod redact;
pub mod retry;
mod sync;
pub mod telemetry;
pub mod trace;

pub use clock::Clock;
pub use failure::Failure;
pub use handler::{EventHandler, Labels, MessageHandler};
pub use publisher::Publisher;
pub use redact::redact_values;
pub use sync::lock;
