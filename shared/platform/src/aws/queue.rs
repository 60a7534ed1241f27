//! Queues: putting messages off, and putting them away.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageAttributeValue;
use aws_types::SdkConfig;

use crate::host::queue::Visibility;
use crate::host::record::{DeadLetter, DeadLetters};

/// SQS. The client is made when something fails, so that no cold start pays for it where nothing does.
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

/// A queue that calls a function.
#[derive(Debug, Clone)]
pub struct Queue {
    sqs: Sqs,
    url: String,
    dead_letters: DeadLetterQueue,
}

impl Queue {
    /// The queue at `url`.
    pub(super) fn new(sqs: Sqs, url: String, dead_letters: DeadLetterQueue) -> Self {
        Self { sqs, url, dead_letters }
    }
}

#[async_trait]
impl Visibility for Queue {
    async fn extend_visibility_timeout(&self, receipt: &str, wait: Duration) -> anyhow::Result<()> {
        // Whole seconds, rounded up: a wait of 0 would be none.
        let seconds =
            i32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(i32::MAX).clamp(1, 12 * 60 * 60);
        self.sqs
            .client()
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(receipt)
            .visibility_timeout(seconds)
            .send()
            .await
            .context("ChangeMessageVisibility failed")?;
        Ok(())
    }
}

#[async_trait]
impl DeadLetters for Queue {
    async fn send_to_dlq(&self, letter: &DeadLetter) -> anyhow::Result<()> {
        self.dead_letters.send_to_dlq(letter).await
    }
}

/// A queue that only people empty.
#[derive(Debug, Clone)]
pub struct DeadLetterQueue {
    sqs: Sqs,
    url: String,
}

impl DeadLetterQueue {
    /// The queue at `url`.
    pub(super) fn new(sqs: Sqs, url: String) -> Self {
        Self { sqs, url }
    }
}

#[async_trait]
impl DeadLetters for DeadLetterQueue {
    async fn send_to_dlq(&self, letter: &DeadLetter) -> anyhow::Result<()> {
        let mut send = self.sqs.client().send_message().queue_url(&self.url).message_body(&letter.body);
        let attributes = [
            ("error", Some(letter.error.clone())),
            ("kind", Some(letter.kind.to_owned())),
            ("function", Some(letter.function.to_owned())),
            ("attempt", Some(letter.attempt.to_string())),
            ("correlation_id", letter.correlation_id.clone()),
            ("failed_at", Some(letter.failed_at.to_string())),
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

/// What SQS takes in an attribute: no control characters
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>), and not so
/// long that the message gets too large.
fn attribute_text(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || c == '\u{fffe}' || c == '\u{ffff}' { ' ' } else { c })
        .take(1000)
        .collect()
}

#[cfg(test)]
mod tests;
