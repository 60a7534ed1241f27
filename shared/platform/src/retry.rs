//! Exponential backoff with jitter.

use std::time::Duration;

use crate::clock::Clock;
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

/// Limits and paces a loop that makes a call again until it succeeds.
pub struct Retries<'a> {
    policy: RetryPolicy,
    clock: &'a dyn Clock,
    attempt: u32,
}

impl<'a> Retries<'a> {
    /// Creates the state of a loop whose first attempt starts now. `clock` waits, and has the randomness of the
    /// waits.
    pub fn new(policy: RetryPolicy, clock: &'a dyn Clock) -> Self {
        Self { policy, clock, attempt: 1 }
    }

    /// Waits until the next attempt may start. Returns false at once if the last attempt has been made.
    pub async fn wait(&mut self) -> bool {
        if self.attempt >= self.policy.max_attempts {
            return false;
        }
        self.clock.sleep(self.policy.backoff(self.attempt, self.clock.random())).await;
        self.attempt = self.attempt.saturating_add(1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::SeededClock;

    #[tokio::test(start_paused = true)]
    async fn a_loop_ends_with_the_last_attempt() {
        let policy = RetryPolicy { base_delay: Duration::from_secs(2), max_attempts: 4 };
        let clock = SeededClock::new(1);
        let mut retries = Retries::new(policy, &clock);
        for _ in 0..3 {
            assert!(retries.wait().await);
        }
        let waited = clock.elapsed();
        assert!((7..=14).contains(&waited.as_secs()), "{waited:?}");
        assert!(!retries.wait().await && clock.elapsed() == waited);
    }

    #[test]
    fn the_delay_doubles_up_to_the_maximum() {
        let policy = RetryPolicy { base_delay: Duration::from_secs(2), max_attempts: 10 };
        let delays: Vec<u64> = (1..=12).map(|attempt| policy.backoff(attempt, 1.0).as_secs()).collect();
        assert_eq!(delays, [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
        assert_eq!(policy.backoff(1, 0.0), Duration::from_secs(1));
        assert_eq!(policy.backoff(u32::MAX, 0.0), MAX_BACKOFF / 2);
    }
}
