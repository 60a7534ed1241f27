//! `Visibility` and `DeadLetters` of `platform`: how a function retries a message, or sends it to the DLQ.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use platform::queue::{DeadLetter, DeadLetters, Visibility};

use crate::check::{contract_suite, same};
use crate::sample::time;

/// The queues behind the ports.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Sends a message and receives it, with a visibility timeout longer than the test. Returns its receipt
    /// handle.
    async fn send_and_receive(&self) -> anyhow::Result<String>;
    /// Waits, and returns whether the message was redelivered within `wait`.
    async fn is_redelivered_within(&self, wait: Duration) -> anyhow::Result<bool>;
    /// The dead-letter messages: body and attributes.
    async fn dead_letters(&self) -> anyhow::Result<Vec<(String, BTreeMap<String, String>)>>;
}

/// An empty queue with an empty dead-letter queue.
#[derive(Clone)]
pub struct World {
    /// The visibility port under test.
    pub visibility: Arc<dyn Visibility>,
    /// The dead-letter port under test.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// The queues behind the ports.
    pub broker: Arc<dyn Broker>,
}

contract_suite!(World:
    an_extended_message_is_redelivered_after_its_timeout_and_not_before,
    a_dead_letter_message_carries_its_error_attributes,
    a_dead_letter_message_accepts_any_error_text,
);

async fn an_extended_message_is_redelivered_after_its_timeout_and_not_before(
    world: &World,
) -> anyhow::Result<()> {
    let receipt = world.broker.send_and_receive().await?;
    world.visibility.extend_visibility_timeout(&receipt, Duration::from_millis(2500)).await?;
    same("after a second", world.broker.is_redelivered_within(Duration::from_secs(1)).await?, false)?;
    same("after the timeout", world.broker.is_redelivered_within(Duration::from_secs(6)).await?, true)
}

fn letter(body: &str, error: &str) -> anyhow::Result<DeadLetter> {
    Ok(DeadLetter {
        body: body.to_owned(),
        error: error.to_owned(),
        kind: "exhausted",
        function: "process-payment",
        attempt: 5,
        correlation_id: Some("request-1".to_owned()),
        failed_at: time(0)?,
    })
}

async fn a_dead_letter_message_carries_its_error_attributes(world: &World) -> anyhow::Result<()> {
    let body = "{\"detail\": {\"name\": \"Ada “the first” ☕\"}}";
    let whole = letter(body, "the provider answered 503")?;
    world.dead_letters.send_to_dlq(&whole).await?;
    let unread = DeadLetter { correlation_id: None, kind: "poison", attempt: 1, ..whole.clone() };
    world.dead_letters.send_to_dlq(&unread).await?;
    let mut found = world.broker.dead_letters().await?;
    found.sort_unstable_by_key(|(_, attributes)| attributes.get("attempt").cloned());
    let expected = [unread, whole].map(|letter| {
        let attributes = [
            ("error", Some(letter.error)),
            ("kind", Some(letter.kind.to_owned())),
            ("function", Some(letter.function.to_owned())),
            ("attempt", Some(letter.attempt.to_string())),
            ("correlation_id", letter.correlation_id),
            ("failed_at", Some(letter.failed_at.to_string())),
        ];
        let set = |(name, value): (&str, Option<String>)| Some((name.to_owned(), value?));
        (letter.body, attributes.into_iter().filter_map(set).collect())
    });
    same("the dead-letter messages", found, Vec::from(expected))
}

/// No error text may cause the loss of a dead-letter message.
async fn a_dead_letter_message_accepts_any_error_text(world: &World) -> anyhow::Result<()> {
    let errors = ["", "a\u{1}b\tc\n", "\u{fffe}", &"long ☕ ".repeat(2000)];
    for (number, error) in errors.iter().enumerate() {
        world.dead_letters.send_to_dlq(&letter(&format!("message {number}"), error)?).await?;
    }
    let mut found: Vec<String> =
        world.broker.dead_letters().await?.into_iter().map(|(body, _)| body).collect();
    found.sort_unstable();
    same(
        "the dead-letter messages",
        found,
        (0..errors.len()).map(|number| format!("message {number}")).collect(),
    )
}
