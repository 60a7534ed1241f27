//! A deployed stack, as the end-to-end tests see it: the front door, the provider's books, the mailbox, the queues.
//!
//! `cargo xtask test end-to-end` starts a stack and says where it is in the environment. `cargo xtask verify` does so for
//! any deployed stack, which is then reached through its public interface and AWS's alone: see [`Needs`].

mod aws;
mod cloudformation;
mod mails;
mod needs;
mod people;
mod roles;
mod stack;
mod stripe;
mod test_data;
mod uploads;

pub use aws::DeadLetter;
pub use needs::{Needs, is_left_out};
pub use people::{Partner, Person, claims};
pub use roles::Role;
pub use stack::{Answer, NewOrder, Product, Stack};
pub use test_data::{address, mark, new_name, note_made};
pub use uploads::Form;

use std::time::{Duration, Instant};

/// How long anything may take on a machine that is busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// The longest time between two questions to a stack that is not on this machine.
const MAX_PAUSE: Duration = Duration::from_secs(3);

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
    let mut pause = Duration::from_millis(150);
    loop {
        match question().await {
            Ok(Some(answer)) => return answer,
            Ok(None) if start.elapsed() < patience => {
                tokio::time::sleep(pause).await;
                // A deployed stack limits how often one address may ask.
                pause = if needs::is_local() { pause } else { MAX_PAUSE.min(pause * 2) };
            }
            Ok(None) => panic!("waited {} s for {what}, in vain", patience.as_secs()),
            Err(error) => panic!("while waiting for {what}: {error:#}"),
        }
    }
}
