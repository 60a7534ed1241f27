//! Dead-letter queues: inspects their messages, redrives and discards them.

pub mod advice;
mod backup_file;
mod message;
mod sweep;

use std::collections::BTreeMap;

use anyhow::Context as _;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::{MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName};
use platform::host::queue::REDRIVE_ATTRIBUTE;
use serde_json::Value;

use crate::names::{DEAD_LETTER_QUEUE_SUFFIX, QUEUE_SUFFIX};
use crate::stack::Stack;

pub use backup_file::BackupFile;
pub use message::{DeadLetterMessage, MessageFilter};
pub use sweep::{Disposition, SweepResult};

/// The visibility timeout of messages that are inspected or moved. Those of a command that was killed stay
/// invisible for that long.
pub const VISIBILITY_TIMEOUT_SECONDS: i32 = 30;

/// A dead-letter queue of the stack.
#[derive(Clone, Debug)]
pub struct DeadLetterQueue {
    /// Its logical id, such as `ProcessPaymentDeadLetters`.
    pub name: String,
    url: String,
    /// The queue that its messages come from; `None` for functions that read a stream.
    source: Option<String>,
}

/// The logical ids and URLs of the functions' queues, without the dead-letter queues.
pub fn source_queues(stack: &Stack) -> anyhow::Result<Vec<(String, String)>> {
    let queues = stack.resources()?.into_iter().filter(|resource| resource.kind == "AWS::SQS::Queue");
    let queues = queues.filter(|resource| !resource.logical_id.ends_with(DEAD_LETTER_QUEUE_SUFFIX));
    Ok(queues.map(|resource| (resource.logical_id, resource.physical_id)).collect())
}

/// The approximate number of messages in a queue, including those in flight and those delayed.
pub fn count(stack: &Stack, name: &str, url: &str) -> anyhow::Result<u64> {
    let numbers = [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        QueueAttributeName::ApproximateNumberOfMessagesDelayed,
    ];
    let call = stack.aws.sqs.get_queue_attributes().queue_url(url);
    let call = call.set_attribute_names(Some(numbers.to_vec())).send();
    let response = stack
        .aws
        .wait(call)
        .map_err(|error| anyhow::anyhow!("cannot read {name}: {}", DisplayErrorContext(&error)))?;
    let attributes = response.attributes().cloned().unwrap_or_default();
    let number = |name| attributes.get(name).and_then(|count| count.parse::<u64>().ok()).unwrap_or_default();
    Ok(numbers.iter().map(number).fold(0, u64::saturating_add))
}

impl DeadLetterQueue {
    /// All dead-letter queues of the stack.
    pub fn all(stack: &Stack) -> anyhow::Result<Vec<Self>> {
        let queues: BTreeMap<String, String> = stack
            .resources()?
            .into_iter()
            .filter(|resource| resource.kind == "AWS::SQS::Queue")
            .map(|resource| (resource.logical_id, resource.physical_id))
            .collect();
        Ok(queues
            .iter()
            .filter_map(|(name, url)| {
                let function = name.strip_suffix(DEAD_LETTER_QUEUE_SUFFIX)?;
                let source = queues.get(&format!("{function}{QUEUE_SUFFIX}"));
                Some(Self { name: name.clone(), url: url.clone(), source: source.cloned() })
            })
            .collect())
    }

    /// Finds a dead-letter queue by its name or its function (`ProcessPayment`, `process-payment`).
    pub fn find(stack: &Stack, name: &str) -> anyhow::Result<Self> {
        let all = Self::all(stack)?;
        let normalized = |name: &str| name.replace('-', "").to_lowercase();
        let wanted = normalized(name.strip_suffix(DEAD_LETTER_QUEUE_SUFFIX).unwrap_or(name));
        let found = all.iter().find(|queue| normalized(queue.function()) == wanted);
        found.cloned().with_context(|| {
            let names: Vec<&str> = all.iter().map(|queue| queue.name.as_str()).collect();
            format!("there is no dead-letter queue {name}. The stack has: {}", names.join(", "))
        })
    }

    /// The logical id of the function whose messages it receives.
    pub fn function(&self) -> &str {
        self.name.strip_suffix(DEAD_LETTER_QUEUE_SUFFIX).unwrap_or(&self.name)
    }

    /// The approximate number of messages, including those in flight.
    pub fn count(&self, stack: &Stack) -> anyhow::Result<u64> {
        count(stack, &self.name, &self.url)
    }

    /// Applies `act` to the messages that are in the queue now; see the module `sweep`.
    pub fn sweep(
        &self,
        stack: &Stack,
        filter: &MessageFilter,
        act: &mut impl FnMut(&DeadLetterMessage) -> anyhow::Result<Disposition>,
    ) -> SweepResult {
        sweep::sweep(&mut Sqs { stack, queue: self }, filter, crate::duration::now(), act)
    }

    /// Reads messages and leaves them in the queue.
    pub fn peek(&self, stack: &Stack, filter: &MessageFilter) -> anyhow::Result<Vec<DeadLetterMessage>> {
        let mut messages = Vec::new();
        let result = self.sweep(stack, filter, &mut |message| {
            messages.push(message.clone());
            Ok(Disposition::Keep)
        });
        result.error.map_or(Ok(messages), Err)
    }

    /// Redrives messages: sends each to its source, and only then deletes it here.
    pub fn redrive(&self, stack: &Stack, filter: &MessageFilter) -> anyhow::Result<Vec<DeadLetterMessage>> {
        let target = self.target(stack)?;
        let result = self.sweep(stack, filter, &mut |message| self.redrive_message(stack, &target, message));
        result.error.map_or(Ok(result.deleted), Err)
    }

    /// The destination of a redrive.
    pub fn target(&self, stack: &Stack) -> anyhow::Result<Destination> {
        if let Some(source) = &self.source {
            let name = format!("{}{QUEUE_SUFFIX}", self.function());
            return Ok(Destination::Queue { name, url: source.clone() });
        }
        let bus = stack.outputs()?.remove("EventBusName");
        let bus = bus.with_context(|| {
            format!("{} has no source queue, and the stack has no output EventBusName", self.name)
        })?;
        Ok(Destination::Bus(bus))
    }

    /// Redrives one message. A message without an event is kept.
    pub fn redrive_message(
        &self,
        stack: &Stack,
        target: &Destination,
        message: &DeadLetterMessage,
    ) -> anyhow::Result<Disposition> {
        if message.is_stream_pointer() {
            return Ok(Disposition::Keep);
        }
        stack.aws.wait(async {
            match target {
                Destination::Queue { url, .. } => self.send_to_queue(stack, url, message).await,
                Destination::Bus(bus) => self.send_to_bus(stack, bus, message).await,
            }
        })?;
        Ok(Disposition::Delete)
    }

    async fn send_to_queue(
        &self,
        stack: &Stack,
        source: &str,
        message: &DeadLetterMessage,
    ) -> anyhow::Result<()> {
        let redrive = MessageAttributeValue::builder().data_type("String").string_value("1").build()?;
        let mut call = stack.aws.sqs.send_message().queue_url(source).message_body(&message.body);
        call = call.message_attributes(REDRIVE_ATTRIBUTE, redrive);
        for (name, value) in &message.other_attributes {
            call = call.message_attributes(name, value.clone());
        }
        let sent = call.send().await;
        sent.map(drop).map_err(|error| self.failed("redrive", &DisplayErrorContext(&error)))
    }

    async fn send_to_bus(&self, stack: &Stack, bus: &str, message: &DeadLetterMessage) -> anyhow::Result<()> {
        let event = message.event().with_context(|| format!("message {} is not an event", message.id))?;
        let field = |name: &str| {
            let text = event.get(name).and_then(Value::as_str);
            text.with_context(|| format!("the event in message {} has no `{name}`", message.id))
        };
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(bus)
            .source(field("source")?)
            .detail_type(field("type")?)
            .detail(event.to_string())
            .build();
        let response = stack.aws.eventbridge.put_events().entries(entry).send().await;
        let response = response.map_err(|error| self.failed("redrive", &DisplayErrorContext(&error)))?;
        let rejected = response.entries().iter().find_map(|entry| entry.error_code());
        anyhow::ensure!(rejected.is_none(), "the event bus rejected message {}: {rejected:?}", message.id);
        Ok(())
    }

    fn failed(&self, doing: &str, error: &dyn std::fmt::Display) -> anyhow::Error {
        anyhow::anyhow!("cannot {doing} {}: {error}", self.name)
    }
}

/// The destination of a redrive.
#[derive(Clone, Debug)]
pub enum Destination {
    /// The source queue of the messages.
    Queue {
        /// Its logical id.
        name: String,
        /// Its URL, which identifies it in SQS.
        url: String,
    },
    /// The event bus: the function reads a stream, to which records cannot be sent back.
    Bus(String),
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Queue { name, .. } => f.write_str(name),
            Self::Bus(bus) => write!(f, "the event bus {bus}"),
        }
    }
}

/// A dead-letter queue in SQS, as [`sweep`] uses it.
struct Sqs<'a> {
    stack: &'a Stack,
    queue: &'a DeadLetterQueue,
}

impl sweep::Broker for Sqs<'_> {
    fn receive(&mut self) -> anyhow::Result<Vec<DeadLetterMessage>> {
        let call = self.stack.aws.sqs.receive_message().queue_url(&self.queue.url);
        let call = call
            .max_number_of_messages(i32::try_from(sweep::MAX_BATCH)?)
            .visibility_timeout(VISIBILITY_TIMEOUT_SECONDS)
            // A long poll queries all servers of the queue; a short poll may miss messages.
            .wait_time_seconds(1)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .send();
        let response = self.stack.aws.wait(call);
        let response = response.map_err(|error| self.queue.failed("read", &DisplayErrorContext(&error)))?;
        let messages = response.messages.unwrap_or_default();
        Ok(messages.into_iter().map(DeadLetterMessage::from_sqs).collect())
    }

    fn release(&mut self, message: &DeadLetterMessage) -> anyhow::Result<()> {
        let call = self.stack.aws.sqs.change_message_visibility().queue_url(&self.queue.url);
        let call = call.visibility_timeout(0).receipt_handle(&message.receipt_handle).send();
        match self.stack.aws.wait(call) {
            Ok(_) => Ok(()),
            // Its visibility timeout has ended: it is visible again, or received by another consumer.
            Err(error)
                if error.as_service_error().is_some_and(|error| {
                    error.is_message_not_inflight() || error.is_receipt_handle_is_invalid()
                }) =>
            {
                Ok(())
            }
            Err(error) => Err(self.queue.failed("release a message of", &DisplayErrorContext(&error))),
        }
    }

    fn delete(&mut self, message: &DeadLetterMessage) -> anyhow::Result<()> {
        let call = self.stack.aws.sqs.delete_message().queue_url(&self.queue.url);
        let call = call.receipt_handle(&message.receipt_handle).send();
        let response = self.stack.aws.wait(call);
        response.map(drop).map_err(|error| self.queue.failed("delete from", &DisplayErrorContext(&error)))
    }
}
