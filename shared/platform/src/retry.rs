//! Exponential backoff with jitter.

use std::time::Duration;

use crate::config;

/// The maximum delay between two attempts. Longer delays would only postpone the alarm.
pub const MAX_BACKOFF: Duration = Duration::from_secs(15 * 60);

/// The number of attempts and the delays between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The maximum delay after the first attempt. It doubles with every further attempt.
    pub base_delay: Duration,
    /// The number of attempts, at least 1.
    pub max_attempts: u32,
}

impl RetryPolicy {
    /// Reads the policy from `RETRY_BASE_SECONDS` and `MAX_RECEIVE_COUNT`, which template.yaml sets.
    ///
    /// # Errors
    /// When one of the variables is not a number.
    pub fn from_env() -> anyhow::Result<Self> {
        Ok(Self {
            base_delay: Duration::from_secs(config::optional("RETRY_BASE_SECONDS", 2)?),
            max_attempts: config::optional("MAX_RECEIVE_COUNT", 10_u32)?.max(1),
        })
    }

    /// The delay after `attempt` (1 for the first) has failed: `base_delay × 2^(attempt - 1)`, at most
    /// [`MAX_BACKOFF`], of which `jitter` (0 to 1) selects between half and all. This "equal jitter" spreads
    /// the retries of many messages that failed together, and still gives a broken dependency time to recover
    /// (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
    #[expect(clippy::float_arithmetic, reason = "a delay need not be exact")]
    pub fn backoff(&self, attempt: u32, jitter: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let max_delay = self.base_delay.saturating_mul(1_u32 << doublings).min(MAX_BACKOFF);
        max_delay.mul_f64((1.0 + jitter.clamp(0.0, 1.0)) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_up_to_the_maximum() {
        let policy = RetryPolicy { base_delay: Duration::from_secs(2), max_attempts: 10 };
        let delays: Vec<u64> = (1..=12).map(|attempt| policy.backoff(attempt, 1.0).as_secs()).collect();
        assert_eq!(delays, [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
        assert_eq!(policy.backoff(1, 0.0), Duration::from_secs(1));
        assert_eq!(policy.backoff(u32::MAX, 0.0), MAX_BACKOFF / 2);
    }
}
