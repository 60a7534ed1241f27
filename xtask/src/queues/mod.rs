//! Dead-letter queues: what is in them and why, and sending it back where it came from.

pub(crate) mod advice;
mod letter;
mod save;
mod sweep;

use std::collections::BTreeMap;

use anyhow::Context as _;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use serde_json::Value;

pub(crate) use letter::{DeadLetter, Which};
pub(crate) use save::Save;
pub(crate) use sweep::{Fate, Swept};

use crate::names::{DEAD_LETTERS, QUEUE};
use crate::stack::Stack;

/// For how long, in seconds, a message is ours alone while it is looked at or moved. A command that is killed
/// leaves its messages invisible for so long.
pub(crate) const LEASE: i32 = 30;

/// A dead-letter queue of the stack.
#[derive(Clone, Debug)]
pub(crate) struct DeadLetterQueue {
    /// Its name in the template, such as `ProcessPaymentDeadLetters`.
    pub(crate) name: String,
    url: String,
    /// The queue that its messages come from; `None` for the stream's function, which has no queue.
    source: Option<String>,
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

    /// Goes through the messages that are there now; see [`sweep`].
    pub(crate) fn sweep(
        &self,
        stack: &Stack,
        which: &Which,
        act: &mut impl FnMut(&DeadLetter) -> anyhow::Result<Fate>,
    ) -> Swept {
        sweep::sweep(&mut Sqs { stack, queue: self }, which, crate::duration::now(), act)
    }

    /// Shows messages and leaves them where they are.
    pub(crate) fn peek(&self, stack: &Stack, which: &Which) -> anyhow::Result<Vec<DeadLetter>> {
        let mut letters = Vec::new();
        let swept = self.sweep(stack, which, &mut |letter| {
            letters.push(letter.clone());
            Ok(Fate::Stay)
        });
        swept.stopped.map_or(Ok(letters), Err)
    }

    /// Sends messages back to where they came from, and only then removes them here.
    pub(crate) fn redrive(&self, stack: &Stack, which: &Which) -> anyhow::Result<Vec<DeadLetter>> {
        let target = self.target(stack)?;
        let swept = self.sweep(stack, which, &mut |letter| self.send_back(stack, &target, letter));
        swept.stopped.map_or(Ok(swept.removed), Err)
    }

    /// Where its messages go when they are sent back.
    pub(crate) fn target(&self, stack: &Stack) -> anyhow::Result<Target> {
        if let Some(source) = &self.source {
            return Ok(Target::Queue { name: format!("{}{QUEUE}", self.function()), url: source.clone() });
        }
        let bus = stack.outputs()?.remove("EventBusName");
        let bus =
            bus.with_context(|| format!("{} has no source queue, and the stack no EventBusName", self.name))?;
        Ok(Target::Bus(bus))
    }

    /// Sends one message back. What holds no event stays.
    pub(crate) fn send_back(
        &self,
        stack: &Stack,
        target: &Target,
        letter: &DeadLetter,
    ) -> anyhow::Result<Fate> {
        if letter.is_stream_pointer() {
            return Ok(Fate::Stay);
        }
        stack.aws.wait(async {
            match target {
                Target::Queue { url, .. } => self.send_to_queue(stack, url, letter).await,
                Target::Bus(bus) => self.send_to_bus(stack, bus, letter).await,
            }
        })?;
        Ok(Fate::Remove)
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

/// Where messages are sent back to.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// The queue that they came from.
    Queue {
        /// Its name in the template.
        name: String,
        /// Its address.
        url: String,
    },
    /// The bus: the function that gave up reads a stream, into which nothing can be put back.
    Bus(String),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Queue { name, .. } => f.write_str(name),
            Self::Bus(bus) => write!(f, "the bus {bus}"),
        }
    }
}

/// A dead-letter queue in SQS.
struct Sqs<'a> {
    stack: &'a Stack,
    queue: &'a DeadLetterQueue,
}

impl sweep::Broker for Sqs<'_> {
    fn receive(&mut self) -> anyhow::Result<Vec<DeadLetter>> {
        let call = self.stack.aws.sqs.receive_message().queue_url(&self.queue.url);
        let call = call
            .max_number_of_messages(i32::try_from(sweep::BATCH)?)
            .visibility_timeout(LEASE)
            // A long poll asks all of the queue's servers; a short one may miss what is there.
            .wait_time_seconds(1)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .send();
        let answer = self.stack.aws.wait(call);
        let answer = answer.map_err(|error| self.queue.failed("read", &DisplayErrorContext(&error)))?;
        Ok(answer.messages.unwrap_or_default().into_iter().map(DeadLetter::read).collect())
    }

    fn give_back(&mut self, letter: &DeadLetter) -> anyhow::Result<()> {
        let call = self.stack.aws.sqs.change_message_visibility().queue_url(&self.queue.url);
        let call = call.visibility_timeout(0).receipt_handle(&letter.receipt).send();
        match self.stack.aws.wait(call) {
            Ok(_) => Ok(()),
            // Its lease has ended: it is back already, or somebody else's now.
            Err(error)
                if error.as_service_error().is_some_and(|error| {
                    error.is_message_not_inflight() || error.is_receipt_handle_is_invalid()
                }) =>
            {
                Ok(())
            }
            Err(error) => Err(self.queue.failed("give a message back to", &DisplayErrorContext(&error))),
        }
    }

    fn delete(&mut self, letter: &DeadLetter) -> anyhow::Result<()> {
        let call = self.stack.aws.sqs.delete_message().queue_url(&self.queue.url);
        let call = call.receipt_handle(&letter.receipt).send();
        let answer = self.stack.aws.wait(call);
        answer.map(drop).map_err(|error| self.queue.failed("delete from", &DisplayErrorContext(&error)))
    }
}
