//! How long to wait before trying again: exponential backoff with jitter.

use std::time::Duration;

use crate::config;

/// The longest wait between two attempts. Longer waits would only delay the news that something is broken.
pub const MAX_BACKOFF: Duration = Duration::from_secs(15 * 60);

/// How often, and how far apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The wait after the first attempt, at most. It doubles with every further one.
    pub base_delay: Duration,
    /// The attempt that is the last: at least 1.
    pub max_attempts: u32,
}

impl RetryPolicy {
    /// From `RETRY_BASE_SECONDS` and `MAX_RECEIVE_COUNT`, which template.yaml sets.
    ///
    /// # Errors
    /// When one of them is no number.
    pub fn from_env() -> anyhow::Result<Self> {
        Ok(Self {
            base_delay: Duration::from_secs(config::optional("RETRY_BASE_SECONDS", 2)?),
            max_attempts: config::optional("MAX_RECEIVE_COUNT", 10_u32)?.max(1),
        })
    }

    /// The wait after `attempt` (1 for the first) failed: between half and all of `base × 2^(attempt - 1)`, by
    /// `chance` (0 to 1), and at most [`MAX_BACKOFF`]. "Equal jitter": it spreads the attempts of many messages
    /// that failed together, and still leaves what is broken some time
    /// (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
    #[expect(clippy::float_arithmetic, reason = "a wait need not be exact")]
    pub fn backoff(&self, attempt: u32, jitter: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let most = self.base_delay.saturating_mul(1_u32 << doublings).min(MAX_BACKOFF);
        most.mul_f64((1.0 + jitter.clamp(0.0, 1.0)) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let policy = RetryPolicy { base_delay: Duration::from_secs(2), max_attempts: 10 };
        let waits: Vec<u64> = (1..=12).map(|attempt| policy.backoff(attempt, 1.0).as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
        assert_eq!(policy.backoff(1, 0.0), Duration::from_secs(1));
        assert_eq!(policy.backoff(u32::MAX, 0.0), MAX_BACKOFF / 2);
    }
}
