//! End-to-end tests of the whole system: the real template and the real binaries on the local stack, accessed
//! through the API. `cargo xtask test end-to-end` runs all of them; `shopctl verify` runs those without
//! local requirements against any deployed stack.

#![expect(clippy::unwrap_used, reason = "a failing helper fails the test")]

mod access;
mod api;
mod contracts;
mod exports;
mod failures;
mod functions;
mod gateway;
mod health;
mod imports;
mod invoices;
mod order_flow;
mod partners;
mod personal_data;
mod provider;
mod reports;
mod search;
mod traces;
mod uploads;
mod walkthrough;
mod webhooks;

use std::sync::LazyLock;

use end_to_end::{Requirement, Stack, is_skipped};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

static LOCK: LazyLock<RwLock<()>> = LazyLock::new(RwLock::default);

type Shared = (Stack, RwLockReadGuard<'static, ()>);
type Exclusive = (Stack, RwLockWriteGuard<'static, ()>);

/// Returns the stack for a test that can run concurrently with others, as almost all can.
async fn shared() -> Shared {
    (Stack::from_env().unwrap(), LOCK.read().await)
}

/// Like the function above, for a test with requirements; `None` if the test is skipped.
async fn shared_with(needs: &[Requirement]) -> Option<Shared> {
    if is_skipped(needs).unwrap() { None } else { Some(shared().await) }
}

/// Returns the stack for a test that changes what all others rely on, and so has to run alone.
async fn exclusive() -> Exclusive {
    (Stack::from_env().unwrap(), LOCK.write().await)
}

/// Like the function above, for a test with requirements; `None` if the test is skipped.
async fn exclusive_with(needs: &[Requirement]) -> Option<Exclusive> {
    if is_skipped(needs).unwrap() { None } else { Some(exclusive().await) }
}
