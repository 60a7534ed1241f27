//! Everything that differs between two runs of the same code: time, new ids and chance.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

/// The one way to time, new ids and chance, so that a simulation can repeat a run exactly.
#[async_trait]
pub trait Clock: Send + Sync {
    /// What time it is.
    fn now(&self) -> Timestamp;

    /// How long it has been since some moment in the past. It never goes back, as [`Clock::now`] may.
    fn elapsed(&self) -> Duration;

    /// Waits.
    async fn sleep(&self, time: Duration);

    /// An id that nobody has had before. UUID version 7: ids made later sort behind (RFC 9562).
    fn new_id(&self) -> Uuid;

    /// A number from 0 up to, but not, 1.
    fn random(&self) -> f64;
}

/// The machine's own.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

#[async_trait]
#[expect(clippy::disallowed_methods, reason = "this is where time and ids come in")]
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

/// Runs `work`, but no longer than `time`: `None` when that has passed. `work` is dropped then, wherever it is.
pub async fn timeout<T>(clock: &dyn Clock, time: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = clock.sleep(time) => None,
    }
}
