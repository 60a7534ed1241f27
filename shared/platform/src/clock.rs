//! Everything that differs between two runs of the same code: time, new ids and chance.

use jiff::Timestamp;
use uuid::Uuid;

/// The one way to time, new ids and chance, so that a simulation can repeat a run exactly.
pub trait Clock: Send + Sync {
    /// What time it is.
    fn now(&self) -> Timestamp;

    /// An id that nobody has had before. UUID version 7: ids made later sort behind (RFC 9562).
    fn fresh_id(&self) -> Uuid;

    /// A number from 0 up to, but not, 1.
    fn chance(&self) -> f64;
}

/// The machine's own.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[expect(clippy::disallowed_methods, reason = "this is where time and ids come in")]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn fresh_id(&self) -> Uuid {
        Uuid::now_v7()
    }

    fn chance(&self) -> f64 {
        fastrand::f64()
    }
}
