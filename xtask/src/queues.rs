//! Dead-letter queues: what is in them and why, and sending it back where it came from.

use std::collections::{BTreeMap, HashSet};

use anyhow::Context as _;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName};
use serde_json::Value;

use crate::names::{DEAD_LETTERS, QUEUE};
use crate::stack::Stack;

/// The attributes that say why a message is dead. A re-driven message starts anew, without them. Those in
/// capitals are of EventBridge, which could not deliver to the queue:
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html>
const REASON: [&str; 12] = [
    "error",
    "kind",
    "function",
    "attempt",
    "correlation_id",
    "failed_at",
    "ERROR_CODE",
    "ERROR_MESSAGE",
    "EXHAUSTED_RETRY_CONDITION",
    "RETRY_ATTEMPTS",
    "RULE_ARN",
    "TARGET_ARN",
];
/// For how long, in seconds, a message is ours alone while it is looked at or moved.
const LEASE: i32 = 60;
/// How many batches of ten one command looks through at most.
const MAX_BATCHES: usize = 100;

/// A dead-letter queue of the stack.
#[derive(Clone, Debug)]
pub(crate) struct DeadLetterQueue {
    /// Its name in the template, such as `ProcessPaymentDeadLetters`.
    pub(crate) name: String,
    url: String,
    /// The queue that its messages come from; `None` for the stream's function, which has no queue.
    source: Option<String>,
}

/// A message that could not be handled.
#[derive(Clone, Debug)]
pub(crate) struct DeadLetter {
    pub(crate) id: String,
    /// The message as it was sent.
    pub(crate) body: String,
    /// Why it is here, as the function that gave up wrote it down: see [`REASON`].
    pub(crate) attributes: BTreeMap<String, String>,
    receipt: String,
    kept: Vec<(String, MessageAttributeValue)>,
    receives: u32,
}

/// Which messages a command is about; all of them if nothing is said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Which {
    pub(crate) message_id: Option<String>,
    pub(crate) order_id: Option<String>,
}

/// The queues that feed the functions: their names in the template and their addresses, without the dead letters.
pub(crate) fn sources(stack: &Stack) -> anyhow::Result<Vec<(String, String)>> {
    let queues = stack.resources()?.into_iter().filter(|resource| resource.kind == "AWS::SQS::Queue");
    let queues = queues.filter(|resource| !resource.logical_id.ends_with(DEAD_LETTERS));
    Ok(queues.map(|resource| (resource.logical_id, resource.physical_id)).collect())
}

/// About how many messages a queue holds, those that someone looks at and those that are put off included.
pub(crate) fn count(stack: &Stack, name: &str, url: &str) -> anyhow::Result<u64> {
    let numbers = [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        QueueAttributeName::ApproximateNumberOfMessagesDelayed,
    ];
    let call = stack.aws.sqs.get_queue_attributes().queue_url(url);
    let call = call.set_attribute_names(Some(numbers.to_vec())).send();
    let answer = stack
        .aws
        .wait(call)
        .map_err(|error| anyhow::anyhow!("cannot read {name}: {}", DisplayErrorContext(&error)))?;
    let attributes = answer.attributes().cloned().unwrap_or_default();
    let number = |name| attributes.get(name).and_then(|count| count.parse::<u64>().ok()).unwrap_or_default();
    Ok(numbers.iter().map(number).fold(0, u64::saturating_add))
}

impl DeadLetterQueue {
    /// All of the stack's.
    pub(crate) fn all(stack: &Stack) -> anyhow::Result<Vec<Self>> {
        let queues: BTreeMap<String, String> = stack
            .resources()?
            .into_iter()
            .filter(|resource| resource.kind == "AWS::SQS::Queue")
            .map(|resource| (resource.logical_id, resource.physical_id))
            .collect();
        Ok(queues
            .iter()
            .filter_map(|(name, url)| {
                let source = queues.get(&format!("{}{QUEUE}", name.strip_suffix(DEAD_LETTERS)?));
                Some(Self { name: name.clone(), url: url.clone(), source: source.cloned() })
            })
            .collect())
    }

    /// The one that is meant by its name, by its function (`ProcessPayment`, `process-payment`) or both.
    pub(crate) fn named(stack: &Stack, name: &str) -> anyhow::Result<Self> {
        let all = Self::all(stack)?;
        let plain = |name: &str| name.replace('-', "").to_lowercase();
        let wanted = plain(name.strip_suffix(DEAD_LETTERS).unwrap_or(name));
        let found = all.iter().find(|queue| plain(queue.function()) == wanted);
        found.cloned().with_context(|| {
            let names: Vec<&str> = all.iter().map(|queue| queue.name.as_str()).collect();
            format!("there is no dead-letter queue {name}. There are: {}", names.join(", "))
        })
    }

    /// The logical id of the function whose messages end here.
    pub(crate) fn function(&self) -> &str {
        self.name.strip_suffix(DEAD_LETTERS).unwrap_or(&self.name)
    }

    /// About how many messages there are, those that someone looks at included.
    pub(crate) fn count(&self, stack: &Stack) -> anyhow::Result<u64> {
        count(stack, &self.name, &self.url)
    }

    /// Shows messages and leaves them where they are.
    pub(crate) fn peek(&self, stack: &Stack, which: &Which) -> anyhow::Result<Vec<DeadLetter>> {
        stack.aws.wait(async {
            let letters = self.receive_all(stack).await?;
            for letter in &letters {
                self.give_back(stack, letter).await?;
            }
            Ok(letters.into_iter().filter(|letter| which.means(letter)).collect())
        })
    }

    /// Sends messages back to the queue they came from (or to the bus, for the stream's function), and only then
    /// deletes them here: a crash between the two makes one message two, which the functions bear, but loses none.
    pub(crate) fn redrive(&self, stack: &Stack, which: &Which) -> anyhow::Result<Vec<DeadLetter>> {
        let bus = if self.source.is_none() { Some(stack.outputs()?) } else { None };
        let bus = bus.as_ref().and_then(|outputs| outputs.get("EventBusName"));
        stack.aws.wait(async {
            let mut moved = Vec::new();
            for letter in self.receive_all(stack).await? {
                if !which.means(&letter) {
                    self.give_back(stack, &letter).await?;
                    continue;
                }
                match (&self.source, bus) {
                    (Some(source), _) => self.send_to_queue(stack, source, &letter).await?,
                    (None, Some(bus)) => self.send_to_bus(stack, bus, &letter).await?,
                    (None, None) => {
                        anyhow::bail!("{} has no source queue, and the stack no EventBusName", self.name)
                    }
                }
                let delete =
                    stack.aws.sqs.delete_message().queue_url(&self.url).receipt_handle(&letter.receipt);
                delete
                    .send()
                    .await
                    .map_err(|error| self.failed("delete from", &DisplayErrorContext(&error)))?;
                moved.push(letter);
            }
            Ok(moved)
        })
    }

    /// Receives until nothing new comes. Each message is then ours for [`LEASE`] seconds.
    async fn receive_all(&self, stack: &Stack) -> anyhow::Result<Vec<DeadLetter>> {
        let (mut letters, mut seen) = (Vec::new(), HashSet::new());
        for _ in 0..MAX_BATCHES {
            let call = stack
                .aws
                .sqs
                .receive_message()
                .queue_url(&self.url)
                .max_number_of_messages(10)
                .visibility_timeout(LEASE)
                // A long poll asks all of the queue's servers; a short one may miss what is there.
                .wait_time_seconds(1)
                .message_attribute_names("All")
                .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
                .send();
            let answer = call.await.map_err(|error| self.failed("read", &DisplayErrorContext(&error)))?;
            let new: Vec<DeadLetter> = answer
                .messages
                .unwrap_or_default()
                .into_iter()
                .map(DeadLetter::read)
                .filter(|letter| seen.insert(letter.id.clone()))
                .collect();
            if new.is_empty() {
                break;
            }
            letters.extend(new);
        }
        Ok(letters)
    }

    async fn give_back(&self, stack: &Stack, letter: &DeadLetter) -> anyhow::Result<()> {
        let call = stack.aws.sqs.change_message_visibility().queue_url(&self.url).visibility_timeout(0);
        let sent = call.receipt_handle(&letter.receipt).send().await;
        sent.map(drop).map_err(|error| self.failed("give a message back to", &DisplayErrorContext(&error)))
    }

    async fn send_to_queue(&self, stack: &Stack, source: &str, letter: &DeadLetter) -> anyhow::Result<()> {
        let mut call = stack.aws.sqs.send_message().queue_url(source).message_body(&letter.body);
        for (name, value) in &letter.kept {
            call = call.message_attributes(name, value.clone());
        }
        let sent = call.send().await;
        sent.map(drop).map_err(|error| self.failed("re-drive", &DisplayErrorContext(&error)))
    }

    async fn send_to_bus(&self, stack: &Stack, bus: &str, letter: &DeadLetter) -> anyhow::Result<()> {
        let event = letter.event().with_context(|| format!("message {} is no event", letter.id))?;
        let field = |name: &str| {
            let text = event.get(name).and_then(Value::as_str);
            text.with_context(|| format!("the event in message {} has no `{name}`", letter.id))
        };
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(bus)
            .source(field("source")?)
            .detail_type(field("type")?)
            .detail(event.to_string())
            .build();
        let answer = stack.aws.eventbridge.put_events().entries(entry).send().await;
        let answer = answer.map_err(|error| self.failed("re-drive", &DisplayErrorContext(&error)))?;
        let refused = answer.entries().iter().find_map(|entry| entry.error_code());
        anyhow::ensure!(refused.is_none(), "the bus refused message {}: {refused:?}", letter.id);
        Ok(())
    }

    fn failed(&self, doing: &str, error: &dyn std::fmt::Display) -> anyhow::Error {
        anyhow::anyhow!("cannot {doing} {}: {error}", self.name)
    }
}

impl DeadLetter {
    fn read(message: Message) -> Self {
        let receives = message.attributes().and_then(|attributes| {
            attributes.get(&MessageSystemAttributeName::ApproximateReceiveCount)?.parse().ok()
        });
        let attributes = message.message_attributes.unwrap_or_default();
        let (reason, kept): (Vec<_>, Vec<_>) =
            attributes.into_iter().partition(|(name, _)| REASON.contains(&name.as_str()));
        Self {
            id: message.message_id.unwrap_or_default(),
            body: message.body.unwrap_or_default(),
            attributes: reason
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.string_value()?.to_owned())))
                .collect(),
            receipt: message.receipt_handle.unwrap_or_default(),
            kept,
            receives: receives.unwrap_or_default(),
        }
    }

    /// Why it is here, in a line.
    pub(crate) fn reason(&self) -> String {
        match self.attributes.get("error").or_else(|| self.attributes.get("ERROR_MESSAGE")) {
            Some(error) => error.clone(),
            // SQS moves a message without a word, when its function died before it could say why.
            None => format!("no reason given: SQS moved it (received {} times here)", self.receives),
        }
    }

    /// The event inside: the `detail` of what EventBridge sent, or the body itself. `None` if that is no JSON.
    pub(crate) fn event(&self) -> Option<Value> {
        let mut body: Value = serde_json::from_str(&self.body).ok()?;
        Some(body.get_mut("detail").map(Value::take).unwrap_or(body))
    }

    /// The order that it is about.
    pub(crate) fn order_id(&self) -> Option<String> {
        self.event()?.get("subject")?.as_str().map(str::to_owned)
    }
}

impl Which {
    fn means(&self, letter: &DeadLetter) -> bool {
        self.message_id.as_ref().is_none_or(|id| *id == letter.id)
            && self.order_id.as_ref().is_none_or(|id| letter.order_id().as_ref() == Some(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(value: &str) -> MessageAttributeValue {
        MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap()
    }

    fn letter(body: &str) -> DeadLetter {
        let message = Message::builder()
            .message_id("m-1")
            .receipt_handle("r-1")
            .body(body)
            .message_attributes("error", attribute("Stripe answered 503"))
            .message_attributes("kind", attribute("exhausted"))
            .message_attributes("tenant", attribute("blue"));
        DeadLetter::read(message.build())
    }

    #[test]
    fn the_event_is_found_with_and_without_an_envelope() {
        for body in [r#"{"detail-type":"x","detail":{"subject":"o-1"}}"#, r#"{"subject":"o-1"}"#] {
            assert_eq!(letter(body).order_id().as_deref(), Some("o-1"));
        }
        assert_eq!(letter("no json").order_id(), None);
    }

    #[test]
    fn the_reason_is_told_and_what_else_was_there_is_kept() {
        let letter = letter("{}");
        assert_eq!(letter.reason(), "Stripe answered 503");
        assert_eq!(letter.attributes.get("kind").map(String::as_str), Some("exhausted"));
        assert_eq!(letter.kept.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["tenant"]);
    }

    #[test]
    fn messages_are_chosen_by_id_and_order() {
        let letter = letter(r#"{"subject":"o-1"}"#);
        let which = |message: Option<&str>, order: Option<&str>| Which {
            message_id: message.map(str::to_owned),
            order_id: order.map(str::to_owned),
        };
        assert!(which(None, None).means(&letter));
        assert!(which(Some("m-1"), Some("o-1")).means(&letter));
        assert!(!which(Some("m-2"), None).means(&letter));
        assert!(!which(None, Some("o-2")).means(&letter));
    }
}
