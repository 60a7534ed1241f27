//! The time of day, for deadlines and for the report's date. Measurements use [`std::time::Instant`].

use jiff::{Timestamp, civil::Date, tz::TimeZone};

#[expect(clippy::disallowed_methods, reason = "a measurement happens now")]
/// By the machine's clock.
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// Milliseconds since 1970, as the Runtime API counts.
pub fn epoch_ms() -> u128 {
    u128::try_from(now().as_millisecond()).unwrap_or_default()
}

/// Today, UTC.
pub fn today() -> Date {
    TimeZone::UTC.to_datetime(now()).date()
}
