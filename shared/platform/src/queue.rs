//! A queue and its dead-letter queue, as far as a consumer calls them.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

/// The source queue of messages.
#[async_trait]
pub trait Visibility: Send + Sync {
    /// Hides a message for `wait` before it is redelivered.
    async fn extend_visibility_timeout(&self, receipt: &str, wait: Duration) -> anyhow::Result<()>;
}

/// A message that needs manual intervention, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The original message, to be redriven once the cause is fixed.
    pub body: String,
    /// Why the message could not be handled.
    pub error: String,
    /// `reject`: can never succeed. `poison`: cannot be parsed. `exhausted`: failed on the last attempt.
    pub kind: &'static str,
    /// The function that failed to handle the message.
    pub function: &'static str,
    /// The attempt that failed, 1 for the first.
    pub attempt: u32,
    /// The correlation id of the message, if it could be read.
    pub correlation_id: Option<String>,
    /// When the last attempt failed.
    pub failed_at: Timestamp,
}

/// The destination of dead-letter messages.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// Sends a message to the DLQ. On success, the message is stored durably.
    async fn send_to_dlq(&self, dead_letter: &DeadLetter) -> anyhow::Result<()>;
}
