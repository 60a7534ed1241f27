//! Configuration: environment variables, read once at the start.

use std::str::FromStr;

use anyhow::{Context, anyhow};

/// The variable `name`.
///
/// # Errors
/// When it is not set, or empty.
pub fn required(name: &str) -> anyhow::Result<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).ok_or_else(|| {
        anyhow!("the environment variable {name} is not set: template.yaml sets it for each function")
    })
}

/// The variable `name`, or `default` where it is not set.
///
/// # Errors
/// When it is set to something that is no `T`.
pub fn optional<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    name: &str,
    default: T,
) -> anyhow::Result<T> {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => {
            value.parse().with_context(|| format!("the environment variable {name} is not understood"))
        }
        _ => Ok(default),
    }
}
