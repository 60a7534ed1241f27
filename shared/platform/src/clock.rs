//! Everything that differs between two runs of the same code: time, new ids and randomness.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

/// The only source of time, new ids and randomness, so that a simulation can replay a run exactly.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The current time. It may go backwards when the system clock is adjusted.
    fn now(&self) -> Timestamp;

    /// The time since a fixed but unspecified instant. Unlike [`Clock::now`], it never goes backwards.
    fn elapsed(&self) -> Duration;

    /// Waits for `time`.
    async fn sleep(&self, time: Duration);

    /// A new unique id: a UUID version 7, which sorts by creation time (RFC 9562).
    fn new_id(&self) -> Uuid;

    /// A random number in the half-open range from 0 to 1.
    fn random(&self) -> f64;
}

/// The system's clock and random number generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

#[async_trait]
#[expect(clippy::disallowed_methods, reason = "the only source of time and ids")]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        START.elapsed()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }

    fn random(&self) -> f64 {
        fastrand::f64()
    }
}

/// Runs `work` for at most `time`. Returns `None` on timeout; `work` is then dropped at its current await
/// point.
pub async fn timeout<T>(clock: &dyn Clock, time: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = clock.sleep(time) => None,
    }
}
