//! The wall clock, for deadlines and for the date of the report. Measurements use [`std::time::Instant`].

use jiff::{Timestamp, civil::Date, tz::TimeZone};

#[expect(clippy::disallowed_methods, reason = "measurements use the real time")]
/// The current time of the system clock.
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// The current time in milliseconds since the Unix epoch, the unit of the Runtime API.
pub fn epoch_ms() -> u128 {
    u128::try_from(now().as_millisecond()).unwrap_or_default()
}

/// The current date in UTC.
pub fn today() -> Date {
    TimeZone::UTC.to_datetime(now()).date()
}
