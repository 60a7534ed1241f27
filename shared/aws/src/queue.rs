//! SQS queues: visibility timeouts and dead-letter messages.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageAttributeValue;
use aws_types::SdkConfig;

use platform::queue::{DeadLetter, DeadLetters, Visibility};

/// The SQS client. It is created on the first failure, so that it does not slow down cold starts.
#[derive(Debug, Clone)]
pub(super) struct Sqs {
    config: SdkConfig,
    client: Arc<OnceLock<Client>>,
}

impl Sqs {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self { config: config.clone(), client: Arc::default() }
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| Client::new(&self.config))
    }
}

/// The source queue of a function.
#[derive(Debug, Clone)]
pub struct Queue {
    sqs: Sqs,
    url: String,
    dead_letters: DeadLetterQueue,
}

impl Queue {
    /// The queue at `url`, with its DLQ.
    pub(super) fn new(sqs: Sqs, url: String, dead_letters: DeadLetterQueue) -> Self {
        Self { sqs, url, dead_letters }
    }
}

#[async_trait]
impl Visibility for Queue {
    async fn extend_visibility_timeout(&self, receipt_handle: &str, wait: Duration) -> anyhow::Result<()> {
        // SQS takes whole seconds. They are rounded up because 0 would make the message visible at once.
        let seconds =
            i32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(i32::MAX).clamp(1, 12 * 60 * 60);
        self.sqs
            .client()
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(receipt_handle)
            .visibility_timeout(seconds)
            .send()
            .await
            .context("ChangeMessageVisibility failed")?;
        Ok(())
    }
}

#[async_trait]
impl DeadLetters for Queue {
    async fn send_to_dlq(&self, dead_letter: &DeadLetter) -> anyhow::Result<()> {
        self.dead_letters.send_to_dlq(dead_letter).await
    }
}

/// A dead-letter queue (DLQ), which only operators empty.
#[derive(Debug, Clone)]
pub struct DeadLetterQueue {
    sqs: Sqs,
    url: String,
}

impl DeadLetterQueue {
    /// The DLQ at `url`.
    pub(super) fn new(sqs: Sqs, url: String) -> Self {
        Self { sqs, url }
    }
}

#[async_trait]
impl DeadLetters for DeadLetterQueue {
    async fn send_to_dlq(&self, dead_letter: &DeadLetter) -> anyhow::Result<()> {
        let mut send = self.sqs.client().send_message().queue_url(&self.url).message_body(&dead_letter.body);
        let attributes = [
            ("error", Some(dead_letter.error.clone())),
            ("kind", Some(dead_letter.kind.to_owned())),
            ("function", Some(dead_letter.function.to_owned())),
            ("attempt", Some(dead_letter.attempt.to_string())),
            ("correlation_id", dead_letter.correlation_id.clone()),
            ("failed_at", Some(dead_letter.failed_at.to_string())),
        ];
        for (name, value) in attributes {
            if let Some(value) = value.map(|value| attribute_text(&value)).filter(|value| !value.is_empty()) {
                let value =
                    MessageAttributeValue::builder().data_type("String").string_value(value).build()?;
                send = send.message_attributes(name, value);
            }
        }
        send.send().await.context("SendMessage to the dead-letter queue failed")?;
        Ok(())
    }
}

/// Makes a text valid as an SQS message attribute: replaces control characters
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>) and
/// truncates it to 1000 characters, so that the message does not become too large.
fn attribute_text(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || c == '\u{fffe}' || c == '\u{ffff}' { ' ' } else { c })
        .take(1000)
        .collect()
}

#[cfg(test)]
mod tests;
