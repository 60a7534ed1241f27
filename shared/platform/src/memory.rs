//! The ports, in memory: for tests and simulations of handlers. What went out can be looked at, and what goes
//! wrong can be chosen. Nothing that is deployed uses them.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::Event;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::clock::Clock;
use crate::host::queue::Visibility;
use crate::host::record::{DeadLetter, DeadLetters};
use crate::publisher::Publisher;

/// What a mutex guards, also after a test has panicked.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls that fail, counted down.
#[derive(Debug, Default)]
pub struct Failures(AtomicU32);

impl Failures {
    /// The next `times` calls fail.
    pub fn next(&self, times: u32) {
        self.0.store(times, Ordering::SeqCst);
    }

    /// Whether this call does.
    ///
    /// # Errors
    /// When it does.
    pub fn strike(&self, what: &str) -> anyhow::Result<()> {
        let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        anyhow::ensure!(left.is_err(), "{what} failed, as it was told to");
        Ok(())
    }
}

/// A bus that keeps what is published.
#[derive(Debug, Default)]
pub struct Bus {
    published: Mutex<Vec<Event>>,
    /// Of `publish`.
    pub failures: Failures,
}

impl Bus {
    /// All that was published so far, in order.
    pub fn published(&self) -> Vec<Event> {
        lock(&self.published).clone()
    }
}

#[async_trait]
impl Publisher for Bus {
    async fn publish(&self, events: &[Event]) -> anyhow::Result<()> {
        self.failures.strike("publishing")?;
        lock(&self.published).extend_from_slice(events);
        Ok(())
    }
}

/// A queue that keeps what was put off and what was put away.
#[derive(Debug, Default)]
pub struct Queue {
    put_off: Mutex<Vec<(String, Duration)>>,
    letters: Mutex<Vec<DeadLetter>>,
    /// Of `put_off`.
    pub visibility_failures: Failures,
    /// Of `bury`.
    pub burial_failures: Failures,
}

impl Queue {
    /// Each receipt that was put off, and for how long.
    pub fn put_off(&self) -> Vec<(String, Duration)> {
        lock(&self.put_off).clone()
    }

    /// Each dead letter.
    pub fn letters(&self) -> Vec<DeadLetter> {
        lock(&self.letters).clone()
    }
}

#[async_trait]
impl Visibility for Queue {
    async fn put_off(&self, receipt: &str, wait: Duration) -> anyhow::Result<()> {
        self.visibility_failures.strike("putting off")?;
        lock(&self.put_off).push((receipt.to_owned(), wait));
        Ok(())
    }
}

#[async_trait]
impl DeadLetters for Queue {
    async fn bury(&self, letter: &DeadLetter) -> anyhow::Result<()> {
        self.burial_failures.strike("putting away")?;
        lock(&self.letters).push(letter.clone());
        Ok(())
    }
}

/// A clock that goes when it is told to. Only its waits are real.
#[derive(Debug)]
pub struct ManualClock {
    start: Timestamp,
    now: Mutex<Timestamp>,
    ids: AtomicU64,
    chance: f64,
}

impl ManualClock {
    /// One that starts at `now`. Its chance is always 0, so that waits are at their shortest.
    pub fn new(now: Timestamp) -> Self {
        Self { start: now, now: Mutex::new(now), ids: AtomicU64::new(0), chance: 0.0 }
    }

    /// Lets time pass.
    pub fn advance(&self, by: SignedDuration) {
        let mut now = lock(&self.now);
        *now = now.saturating_add(by).unwrap_or(Timestamp::MAX);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *lock(&self.now)
    }

    fn elapsed(&self) -> Duration {
        Duration::try_from(self.now().duration_since(self.start)).unwrap_or_default()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// One behind the other, as the machine's own are.
    fn fresh_id(&self) -> Uuid {
        let number = self.ids.fetch_add(1, Ordering::SeqCst);
        Uuid::from_u128(0x0189_0a5d_ac96_774b_8000_0000_0000_0000 + u128::from(number))
    }

    fn chance(&self) -> f64 {
        self.chance
    }
}
