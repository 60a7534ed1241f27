//! Optimistic locking: a record is read, changed, and written on condition that it has not changed since it was
//! read.

use std::time::Duration;

use crate::clock::Clock;
use crate::failure::Failure;
use crate::metrics::TARGET;

/// The time in which attempts may start, with the waits before them. A request has 7 seconds and a message
/// more, so the last attempt has time to finish, and its result to be sent.
const MAX_TIME: Duration = Duration::from_secs(5);
/// The maximum number of attempts, which usually take longer than [`MAX_TIME`]: it ends a loop whose clock
/// stands still.
const MAX_ATTEMPTS: u32 = 64;
/// The maximum wait before the second attempt. It doubles with each further one, up to [`MAX_BACKOFF`].
const INITIAL_BACKOFF: Duration = Duration::from_millis(20);
/// The maximum wait before an attempt: the duration of a few dozen writes, so that as many writers succeed one
/// after the other.
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

/// Limits and paces a loop that reads a record, changes it and writes it, and starts again if the write
/// conflicts. Every such loop uses it.
///
/// Before each attempt but the first it waits, with exponential backoff and full jitter, so that concurrent
/// writers do not conflict again
/// (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
///
/// ```
/// # use platform::clock::SystemClock;
/// # use platform::optimistic::{Attempts, WriteConflicts};
/// # async fn increment(mut write: impl FnMut() -> bool) -> Result<(), WriteConflicts> {
/// let mut attempts = Attempts::at("the counter", &SystemClock);
/// loop {
///     attempts.start().await?;
///     if write() {
///         return Ok(());
///     }
/// }
/// # }
/// ```
pub struct Attempts<'a> {
    record: String,
    clock: &'a dyn Clock,
    started: u32,
    /// The time of the first attempt, as [`Clock::elapsed`] measures it.
    first_at: Duration,
}

impl<'a> Attempts<'a> {
    /// Attempts to write `record`, as error messages name it. `clock` measures the time, and has the
    /// randomness of the waits.
    pub fn at(record: impl Into<String>, clock: &'a dyn Clock) -> Self {
        Self { record: record.into(), clock, started: 0, first_at: clock.elapsed() }
    }

    /// Starts an attempt: the first one at once, each further one after a random wait of up to 20, 40, 80 …
    /// 320 ms.
    ///
    /// # Errors
    /// When the attempt would start later than 5 seconds after the first one, or 64 attempts have been made.
    pub async fn start(&mut self) -> Result<(), WriteConflicts> {
        if let Some(doublings) = self.started.checked_sub(1) {
            let delay = max_backoff(doublings).mul_f64(self.clock.random());
            let elapsed = self.clock.elapsed().saturating_sub(self.first_at);
            if self.started >= MAX_ATTEMPTS || elapsed.saturating_add(delay) > MAX_TIME {
                let record = std::mem::take(&mut self.record);
                return Err(WriteConflicts { record, attempts: self.started });
            }
            tracing::info!(target: TARGET, OptimisticRetries = 1, "the record was changed concurrently");
            self.clock.sleep(delay).await;
        }
        self.started = self.started.saturating_add(1);
        Ok(())
    }
}

/// The maximum wait after `doublings` + 1 attempts.
fn max_backoff(doublings: u32) -> Duration {
    INITIAL_BACKOFF.saturating_mul(2_u32.saturating_pow(doublings)).min(MAX_BACKOFF)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures::future::join_all;
    use proptest::prelude::*;

    use super::*;
    use crate::memory::SeededClock;
    use crate::sync::lock;

    /// The latency of a read or a write.
    const LATENCY: Duration = Duration::from_millis(8);

    /// A stored counter, which is written on condition that it has not changed.
    #[derive(Default)]
    struct Counter(Mutex<u64>);

    impl Counter {
        async fn increment(&self, clock: &dyn Clock) -> Result<(), WriteConflicts> {
            let mut attempts = Attempts::at("the counter", clock);
            loop {
                attempts.start().await?;
                tokio::time::sleep(LATENCY).await;
                let read = *lock(&self.0);
                tokio::time::sleep(LATENCY).await;
                let mut stored = lock(&self.0);
                if *stored == read {
                    *stored = read + 1;
                    return Ok(());
                }
            }
        }
    }

    /// Lets `writers` increment a counter at once. Returns how many of them fail, and the time they take.
    async fn failures(writers: usize, clock: SeededClock) -> (usize, Duration) {
        let (counter, clock) = (Counter::default(), Arc::new(clock));
        let results = join_all((0..writers).map(|_| counter.increment(clock.as_ref()))).await;
        let failed = results.iter().filter(|result| result.is_err()).count();
        assert_eq!(usize::try_from(*lock(&counter.0)).unwrap(), writers - failed);
        (failed, clock.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn all_of_many_parallel_writers_succeed() {
        for writers in [2, 20, 50] {
            for seed in 0..20 {
                let (failed, time) = failures(writers, SeededClock::new(seed)).await;
                assert_eq!(failed, 0, "{writers} writers with seed {seed}");
                assert!(time < MAX_TIME, "{writers} writers with seed {seed} take {time:?}");
            }
        }
    }

    /// Without waits, one writer succeeds in each round, and all others conflict again.
    #[tokio::test(start_paused = true)]
    async fn without_waits_most_of_many_writers_fail() {
        let (failed, _) = failures(200, SeededClock::without_jitter()).await;
        assert_eq!(failed, 200 - usize::try_from(MAX_ATTEMPTS).unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_always_conflicts_ends_in_time() {
        let clock = SeededClock::new(1);
        let mut attempts = Attempts::at("order 1", &clock);
        let error = loop {
            if let Err(error) = attempts.start().await {
                break error.to_string();
            }
        };
        assert!(clock.elapsed() <= MAX_TIME && clock.elapsed() > MAX_TIME / 2, "{:?}", clock.elapsed());
        assert!(error.ends_with("attempts to write order 1 failed because of concurrent changes"), "{error}");
    }

    proptest! {
        #[test]
        fn waits_double_up_to_the_maximum(doublings in any::<u32>()) {
            let wait = max_backoff(doublings);
            prop_assert!(wait >= INITIAL_BACKOFF && wait <= MAX_BACKOFF);
            prop_assert!(max_backoff(doublings.saturating_add(1)) == (wait * 2).min(MAX_BACKOFF));
        }
    }
}
