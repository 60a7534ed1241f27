//! A deployed stack, as the end-to-end tests see it: the front door, the provider's books, the mailbox, the queues.
//!
//! `cargo xtask test end-to-end` starts a stack and says where it is in the environment. `cargo xtask verify` does so for
//! any deployed stack, which is then reached through its public interface and AWS's alone: see [`Requirement`].

mod aws;
mod cloudformation;
mod mails;
mod requirements;
mod roles;
mod stack;
mod stripe;
mod test_data;
mod uploads;
mod users;

pub use aws::DeadLetter;
pub use requirements::{Requirement, is_skipped};
pub use roles::Role;
pub use stack::{ApiResponse, NewOrder, Product, Stack};
pub use test_data::{record_created, run_prefix, simulator_address, unique_name};
pub use uploads::Form;
pub use users::{Partner, User, claims};

use std::time::{Duration, Instant};

/// How long anything may take on a machine that is busy with other tests.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(90);

/// The longest time between two questions to a stack that is not on this machine.
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(3);

/// Asks `check` again and again until it has an response.
///
/// # Panics
/// When it has none within `timeout`; `what` is what was waited for.
#[expect(clippy::panic, reason = "a test fails so")]
pub async fn wait_for<T>(
    what: &str,
    timeout: Duration,
    check: impl AsyncFn() -> anyhow::Result<Option<T>>,
) -> T {
    let start = Instant::now();
    let mut interval = Duration::from_millis(150);
    loop {
        match check().await {
            Ok(Some(response)) => return response,
            Ok(None) if start.elapsed() < timeout => {
                tokio::time::sleep(interval).await;
                // A deployed stack limits how often one address may ask.
                interval =
                    if requirements::is_local() { interval } else { MAX_POLL_INTERVAL.min(interval * 2) };
            }
            Ok(None) => panic!("waited {} s for {what}, in vain", timeout.as_secs()),
            Err(error) => panic!("while waiting for {what}: {error:#}"),
        }
    }
}
