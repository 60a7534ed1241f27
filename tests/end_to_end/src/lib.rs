//! A deployed stack, as the end-to-end tests see it: the front door, the provider's books, the mailbox, the queues.
//!
//! `cargo xtask test end-to-end` starts a stack and says where it is in the environment.

mod aws;
mod people;
mod roles;
mod stack;
mod uploads;

pub use aws::DeadLetter;
pub use people::{Partner, Person, claims};
pub use roles::Role;
pub use stack::{Answer, NewOrder, Product, Stack};
pub use uploads::Form;

use std::time::{Duration, Instant};

/// How long anything may take on a machine that is busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Asks `question` again and again until it has an answer.
///
/// # Panics
/// When it has none within `patience`; `what` is what was waited for.
#[expect(clippy::panic, reason = "a test fails so")]
pub async fn wait_for<T>(
    what: &str,
    patience: Duration,
    question: impl AsyncFn() -> anyhow::Result<Option<T>>,
) -> T {
    let start = Instant::now();
    loop {
        match question().await {
            Ok(Some(answer)) => return answer,
            Ok(None) if start.elapsed() < patience => tokio::time::sleep(Duration::from_millis(150)).await,
            Ok(None) => panic!("waited {} s for {what}, in vain", patience.as_secs()),
            Err(error) => panic!("while waiting for {what}: {error:#}"),
        }
    }
}
