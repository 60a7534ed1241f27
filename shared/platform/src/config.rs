//! Configuration from environment variables, which are read once at startup.

use std::str::FromStr;

use anyhow::{Context, anyhow};
use jiff::tz::TimeZone;

/// Reads the required variable `name`.
///
/// # Errors
/// When the variable is unset or empty.
pub fn required(name: &str) -> anyhow::Result<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).ok_or_else(|| {
        anyhow!("the environment variable {name} is not set: template.yaml sets it for each function")
    })
}

/// Reads the variable `name`, or returns `default` when it is unset or empty.
///
/// # Errors
/// When the value cannot be parsed as a `T`.
pub fn optional<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    name: &str,
    default: T,
) -> anyhow::Result<T> {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => {
            value.parse().with_context(|| format!("the environment variable {name} cannot be parsed"))
        }
        _ => Ok(default),
    }
}

/// Reads a time zone, whose IANA name is in the required variable `name`, from the database that is compiled in: the
/// Lambda runtime has none.
///
/// # Errors
/// When the variable is unset, or the database has no such time zone.
pub fn time_zone(name: &str) -> anyhow::Result<TimeZone> {
    let zone = required(name)?;
    TimeZone::get(&zone).with_context(|| format!("{name}: there is no time zone {zone}"))
}
