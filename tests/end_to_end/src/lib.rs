//! A deployed stack as the end-to-end tests see it: the API, the payment provider, the mailbox, the queues.
//!
//! `cargo xtask test end-to-end` starts a stack and passes its location in environment variables. `shopctl
//! verify` does the same for any deployed stack; the tests then use only its public interface and the
//! AWS APIs: see [`Requirement`].

mod aws;
mod cloudformation;
mod mails;
mod requirements;
mod roles;
mod spans;
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

/// How long a test waits for an outcome, on a machine that is busy with other tests.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(90);

/// The maximum interval between two polls of a remote stack.
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(3);

/// Polls `check` until it returns a value.
///
/// # Panics
/// When it returns none within `timeout`; `what` describes the expected outcome.
#[expect(clippy::panic, reason = "this fails the test")]
pub async fn wait_for<T>(
    what: &str,
    timeout: Duration,
    check: impl AsyncFn() -> anyhow::Result<Option<T>>,
) -> T {
    let start = Instant::now();
    let mut interval = Duration::from_millis(150);
    loop {
        match check().await {
            Ok(Some(value)) => return value,
            Ok(None) if start.elapsed() < timeout => {
                tokio::time::sleep(interval).await;
                // A deployed stack limits the request rate per IP address.
                interval =
                    if requirements::is_local() { interval } else { MAX_POLL_INTERVAL.min(interval * 2) };
            }
            Ok(None) => panic!("timed out after {} s waiting for {what}", timeout.as_secs()),
            Err(error) => panic!("while waiting for {what}: {error:#}"),
        }
    }
}
