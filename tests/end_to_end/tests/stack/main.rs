//! The whole system, from the outside: the real template and the real binaries on the local stack, through the
//! front door. `cargo xtask test end-to-end` runs this.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod api;
mod contracts;
mod exports;
mod failures;
mod front_door;
mod functions;
mod health;
mod imports;
mod invoices;
mod partners;
mod provider;
mod readme;
mod reports;
mod search;
mod story;
mod uploads;
mod webhooks;

use std::sync::LazyLock;

use end_to_end::Stack;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

static ALONE: LazyLock<RwLock<()>> = LazyLock::new(RwLock::default);

/// For tests that may run beside each other: almost all.
async fn shared() -> (Stack, RwLockReadGuard<'static, ()>) {
    (Stack::from_env().unwrap(), ALONE.read().await)
}

/// For tests that change what all others rely on.
async fn alone() -> (Stack, RwLockWriteGuard<'static, ()>) {
    (Stack::from_env().unwrap(), ALONE.write().await)
}
