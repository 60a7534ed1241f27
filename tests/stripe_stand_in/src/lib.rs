//! A stand-in for Stripe: a small server that implements Stripe's PaymentIntents API as documented. With it
//! the local stack and the tests need no Stripe account and can inject every relevant failure of the
//! provider.
//!
//! [`StandIn`] holds the account and processes requests; [`router`] exposes it over HTTP; [`serve`] accepts
//! TCP connections. The crate's README lists what it implements and what it does not.
#![expect(clippy::print_stdout, reason = "this server logs one line per request to stdout")]

pub mod account;
mod api;
pub mod cards;
mod control;
mod delivery;
pub mod error;
pub mod faults;
pub mod form;
pub mod idempotency;
pub mod intents;
pub mod limits;
pub mod operation;
pub mod refunds;
mod server;
mod stand_in;
pub mod storage;
pub mod transitions;
mod webhook_control;
pub mod webhooks;

use std::sync::Arc;

use axum::Router;

pub use account::Account;
pub use server::serve;
pub use stand_in::{LoggedRequest, StandIn};

/// The API key that is accepted if no other is configured.
pub const DEFAULT_KEY: &str = "sk_test_local";
/// The port that is used if no other is configured.
pub const DEFAULT_PORT: u16 = 4578;

/// Returns the router with the API under `/v1` and the control API under `/_control`.
pub fn router(stand_in: Arc<StandIn>) -> Router {
    control::routes().merge(webhook_control::routes()).fallback(api::respond).with_state(stand_in)
}

/// Resumes the delivery of events that the endpoint had not acknowledged when the process ended.
pub fn resume(stand_in: &Arc<StandIn>) {
    stand_in.state().account.webhooks.resume();
    delivery::dispatch(stand_in);
}
