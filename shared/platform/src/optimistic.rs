//! Optimistic locking: a record is read, changed, and written on condition that it has not changed since it was
//! read.

use std::time::Duration;

use crate::clock::Clock;
use crate::failure::Failure;

/// The maximum number of attempts to write a record that has few writers, such as an order.
const MAX_ATTEMPTS: u32 = 5;
/// The maximum number of attempts to write a record that has many writers, such as the stock of a product. Of
/// concurrent attempts, one succeeds in each round.
const MAX_CONTENDED_ATTEMPTS: u32 = 16;
/// The maximum wait before the second attempt. It doubles with each further one, up to [`MAX_BACKOFF`].
const INITIAL_BACKOFF: Duration = Duration::from_millis(20);
/// The maximum wait before an attempt: the duration of a few transactions. The waits of
/// [`MAX_CONTENDED_ATTEMPTS`] add up to less than 4 seconds, so that an API responds in time.
const MAX_BACKOFF: Duration = Duration::from_millis(320);

/// A stored value with its version, which is the condition of the next write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The stored value.
    pub value: T,
    /// Incremented by every write; 0 if there is no stored value.
    pub version: u64,
}

/// All attempts to write a record failed, because it was changed concurrently each time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{attempts} attempts to write {record} failed because of concurrent changes")]
pub struct WriteConflicts {
    record: String,
    attempts: u32,
}

/// The writers that the attempts conflicted with are done by the next delivery.
impl From<WriteConflicts> for Failure {
    fn from(error: WriteConflicts) -> Self {
        Self::retry(error)
    }
}

/// Limits a loop that reads a record, changes it and writes it, and starts again if the write conflicts.
///
/// ```
/// # use platform::optimistic::{Attempts, WriteConflicts};
/// # fn increment(mut write: impl FnMut() -> bool) -> Result<(), WriteConflicts> {
/// let mut attempts = Attempts::at("the counter");
/// loop {
///     attempts.start()?;
///     if write() {
///         return Ok(());
///     }
/// }
/// # }
/// # assert!(increment(|| true).is_ok() && increment(|| false).is_err());
/// ```
#[derive(Debug)]
pub struct Attempts {
    record: String,
    started: u32,
    max: u32,
}

impl Attempts {
    /// Attempts to write `record`, as error messages name it, which has few writers.
    pub fn at(record: impl Into<String>) -> Self {
        Self { record: record.into(), started: 0, max: MAX_ATTEMPTS }
    }

    /// Attempts to write `record`, as error messages name it, which has many writers.
    pub fn at_contended(record: impl Into<String>) -> Self {
        Self { max: MAX_CONTENDED_ATTEMPTS, ..Self::at(record) }
    }

    /// Starts an attempt.
    ///
    /// # Errors
    /// When the maximum number of attempts has been made.
    pub fn start(&mut self) -> Result<(), WriteConflicts> {
        if self.started == self.max {
            return Err(WriteConflicts { record: std::mem::take(&mut self.record), attempts: self.max });
        }
        self.started = self.started.saturating_add(1);
        Ok(())
    }

    /// Starts an attempt. If it is not the first one, waits before, with exponential backoff and full jitter, so
    /// that concurrent writers do not conflict again.
    ///
    /// # Errors
    /// When the maximum number of attempts has been made.
    pub async fn start_after_backoff(&mut self, clock: &dyn Clock) -> Result<(), WriteConflicts> {
        self.start()?;
        if let Some(doublings) = self.started.checked_sub(2) {
            let max_delay = INITIAL_BACKOFF.saturating_mul(1_u32 << doublings.min(31)).min(MAX_BACKOFF);
            clock.sleep(max_delay.mul_f64(clock.random())).await;
        }
        Ok(())
    }
}
