//! A stand-in for Stripe: a small server that behaves as Stripe's documented PaymentIntents do, so that the
//! local stack and the tests need no account, and can make the provider fail in every way that matters.
//!
//! [`StandIn`] is the account and the way of a request through it; [`router`] puts it on HTTP; [`serve`]
//! on TCP. The crate's README tells what it keeps to and what it leaves out.
#![expect(clippy::print_stdout, reason = "one line for each request is this server's log")]

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
mod webhook_control;
pub mod webhooks;

use std::sync::Arc;

use axum::Router;

pub use account::Account;
pub use server::serve;
pub use stand_in::{LoggedRequest, StandIn};

/// The API key that is taken when no other is configured.
pub const DEFAULT_KEY: &str = "sk_test_local";
/// The port that is used when no other is configured.
pub const DEFAULT_PORT: u16 = 4578;

/// All addresses: the API under `/v1` and the controls under `/_control`.
pub fn router(stand_in: Arc<StandIn>) -> Router {
    control::routes().merge(webhook_control::routes()).fallback(api::respond).with_state(stand_in)
}

/// Sends the events that had not been taken when the process ended.
pub fn resume(stand_in: &Arc<StandIn>) {
    stand_in.state().account.webhooks.resume();
    delivery::dispatch(stand_in);
}
