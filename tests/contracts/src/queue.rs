//! `Visibility` and `DeadLetters` of `platform`: what a function does with a message that it cannot handle now.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use platform::host::queue::Visibility;
use platform::host::record::{DeadLetter, DeadLetters};

use crate::check::{family, same};
use crate::sample::time;

/// What lies on the other side of the ports.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Sends a message, and receives it for so long that it does not come again by itself: its receipt.
    async fn deliver(&self) -> anyhow::Result<String>;
    /// Whether the message comes again within so long from now. Tells at the end of it.
    async fn comes_within(&self, wait: Duration) -> anyhow::Result<bool>;
    /// The dead letters: body and attributes.
    async fn letters(&self) -> anyhow::Result<Vec<(String, BTreeMap<String, String>)>>;
}

/// A queue without messages.
#[derive(Clone)]
pub struct World {
    /// Puts messages off.
    pub visibility: Arc<dyn Visibility>,
    /// Puts them away.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// The queues themselves.
    pub broker: Arc<dyn Broker>,
}

family!(World:
    a_message_that_is_put_off_comes_then_and_not_before,
    a_dead_letter_says_what_was_wrong,
    a_dead_letter_takes_any_reason,
);

async fn a_message_that_is_put_off_comes_then_and_not_before(world: &World) -> anyhow::Result<()> {
    let receipt = world.broker.deliver().await?;
    world.visibility.extend_visibility_timeout(&receipt, Duration::from_millis(2500)).await?;
    same("after a second", world.broker.comes_within(Duration::from_secs(1)).await?, false)?;
    same("in the end", world.broker.comes_within(Duration::from_secs(6)).await?, true)
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

async fn a_dead_letter_says_what_was_wrong(world: &World) -> anyhow::Result<()> {
    let body = "{\"detail\": {\"name\": \"Ada “the first” ☕\"}}";
    let whole = letter(body, "the provider answered 503")?;
    world.dead_letters.send_to_dlq(&whole).await?;
    let unread = DeadLetter { correlation_id: None, kind: "poison", attempt: 1, ..whole.clone() };
    world.dead_letters.send_to_dlq(&unread).await?;
    let mut found = world.broker.letters().await?;
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
    same("the dead letters", found, Vec::from(expected))
}

/// Whatever a failure says, its letter is not lost over it.
async fn a_dead_letter_takes_any_reason(world: &World) -> anyhow::Result<()> {
    let errors = ["", "a\u{1}b\tc\n", "\u{fffe}", &"long ☕ ".repeat(2000)];
    for (number, error) in errors.iter().enumerate() {
        world.dead_letters.send_to_dlq(&letter(&format!("letter {number}"), error)?).await?;
    }
    let mut found: Vec<String> = world.broker.letters().await?.into_iter().map(|(body, _)| body).collect();
    found.sort_unstable();
    same("the letters", found, (0..errors.len()).map(|number| format!("letter {number}")).collect())
}
