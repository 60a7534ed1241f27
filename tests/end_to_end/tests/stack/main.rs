//! The whole system, from the outside: the real template and the real binaries on the local stack, through the
//! front door. `cargo xtask test end-to-end` runs this; `cargo xtask verify` runs against any deployed stack what needs
//! nothing of the local one.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod api;
mod contracts;
mod exports;
mod failures;
mod front_door;
mod functions;
mod gateway;
mod health;
mod imports;
mod invoices;
mod order_flow;
mod partners;
mod provider;

mod reports;
mod search;
mod uploads;
mod walkthrough;
mod webhooks;

use std::sync::LazyLock;

use end_to_end::{Requirement, Stack, is_skipped};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

static LOCK: LazyLock<RwLock<()>> = LazyLock::new(RwLock::default);

type Shared = (Stack, RwLockReadGuard<'static, ()>);
type Exclusive = (Stack, RwLockWriteGuard<'static, ()>);

/// For tests that may run beside each other: almost all.
async fn shared() -> Shared {
    (Stack::from_env().unwrap(), LOCK.read().await)
}

/// The same for tests that need what not every stack has; nothing where they are left out for want of it.
async fn shared_with(needs: &[Requirement]) -> Option<Shared> {
    if is_skipped(needs).unwrap() { None } else { Some(shared().await) }
}

/// For tests that change what all others rely on.
async fn exclusive() -> Exclusive {
    (Stack::from_env().unwrap(), LOCK.write().await)
}

/// The same for tests that need what not every stack has; nothing where they are left out for want of it.
async fn exclusive_with(needs: &[Requirement]) -> Option<Exclusive> {
    if is_skipped(needs).unwrap() { None } else { Some(exclusive().await) }
}
