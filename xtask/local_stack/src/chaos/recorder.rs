//! Records every event on the bus with a subscription of its own, to redeliver it later.

use std::collections::BTreeMap;

use anyhow::Context as _;
use aws_sdk_eventbridge::types::Target;
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, QueueAttributeName, SendMessageBatchRequestEntry};
use serde_json::{Value, json};
use shopctl::Stack;

/// The name of the recorder's queue and rule.
const NAME: &str = "chaos-recorder";
/// The maximum number of messages in a batch request to SQS.
const MAX_BATCH: usize = 10;

/// The recorded messages, and the queues that subscribe to them.
pub(crate) struct Recorder {
    url: String,
    /// URLs of the functions' queues, by the event type that they subscribe to.
    subscribers: BTreeMap<String, Vec<String>>,
    /// The messages as EventBridge sends them, in the order of arrival.
    messages: Vec<String>,
}

impl Recorder {
    /// Starts recording, and reads the existing subscriptions from the bus.
    pub(crate) fn start(stack: &Stack) -> anyhow::Result<Self> {
        let bus = stack.outputs()?.remove("EventBusName").context("the stack has no output EventBusName")?;
        let (sqs, events) = (&stack.aws.sqs, &stack.aws.eventbridge);
        stack.aws.wait(async {
            let subscribers = subscribers(stack, &bus).await?;
            let created = sqs.create_queue().queue_name(NAME).send().await.map_err(failed)?;
            let url = created.queue_url().context("the new queue has no URL")?.to_owned();
            let arn = arn(stack, &url).await?;
            let pattern = json!({ "detail-type": [{ "exists": true }] }).to_string();
            let rule = events.put_rule().name(NAME).event_bus_name(&bus).event_pattern(pattern);
            rule.send().await.map_err(failed)?;
            let target = Target::builder().id(NAME).arn(arn).build()?;
            let put = events.put_targets().rule(NAME).event_bus_name(&bus).targets(target);
            put.send().await.map_err(failed)?;
            Ok(Self { url, subscribers, messages: Vec::new() })
        })
    }

    /// Receives the messages that arrived since the last call.
    pub(crate) fn catch_up(&mut self, stack: &Stack) -> anyhow::Result<()> {
        let sqs = &stack.aws.sqs;
        stack.aws.wait(async {
            loop {
                let call = sqs.receive_message().queue_url(&self.url).max_number_of_messages(10);
                let response = call.send().await.map_err(failed)?;
                let messages = response.messages.unwrap_or_default();
                if messages.is_empty() {
                    return Ok(());
                }
                let mut done = sqs.delete_message_batch().queue_url(&self.url);
                for (index, message) in messages.into_iter().enumerate() {
                    self.messages.extend(message.body);
                    let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string());
                    done = done.entries(entry.set_receipt_handle(message.receipt_handle).build()?);
                }
                done.send().await.map_err(failed)?;
            }
        })
    }

    /// Sends copies of randomly chosen messages to one of their subscribers each. Returns the number of
    /// copies.
    pub(crate) fn redeliver(&self, stack: &Stack, messages: usize, seed: u64) -> anyhow::Result<usize> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut copies: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for _ in 0..messages {
            let Some(message) = random.choice(&self.messages) else { break };
            if let Some(queue) = random.choice(self.subscribers_of(message)) {
                copies.entry(queue).or_default().push(message);
            }
        }
        send(stack, &copies)
    }

    /// Sends a copy of every recorded message to all of its subscribers, in random order. Returns the number
    /// of copies.
    pub(crate) fn redeliver_all(&self, stack: &Stack, seed: u64) -> anyhow::Result<usize> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut copies: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for message in &self.messages {
            for queue in self.subscribers_of(message) {
                copies.entry(queue).or_default().push(message);
            }
        }
        copies.values_mut().for_each(|messages| random.shuffle(messages));
        send(stack, &copies)
    }

    fn subscribers_of(&self, message: &str) -> &[String] {
        let kind = serde_json::from_str::<Value>(message).ok();
        let kind = kind.as_ref().and_then(|message| message.get("detail-type")).and_then(Value::as_str);
        kind.and_then(|kind| self.subscribers.get(kind)).map_or(&[], Vec::as_slice)
    }
}

/// Reads the subscriptions from the rules of the bus.
async fn subscribers(stack: &Stack, bus: &str) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let (sqs, events) = (&stack.aws.sqs, &stack.aws.eventbridge);
    let rules = events.list_rules().event_bus_name(bus).send().await.map_err(failed)?;
    let mut subscribers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for rule in rules.rules() {
        let (Some(name), Some(pattern)) = (rule.name(), rule.event_pattern()) else { continue };
        let pattern: Value = serde_json::from_str(pattern).context("the pattern of a rule is not JSON")?;
        let types = pattern.get("detail-type").and_then(Value::as_array).cloned().unwrap_or_default();
        let targets = events.list_targets_by_rule().rule(name).event_bus_name(bus).send().await;
        for target in targets.map_err(failed)?.targets() {
            let Some(queue) = target.arn().rsplit(':').next() else { continue };
            let queue = sqs.get_queue_url().queue_name(queue).send().await.map_err(failed)?;
            for kind in types.iter().filter_map(Value::as_str) {
                subscribers.entry(kind.to_owned()).or_default().extend(queue.queue_url().map(str::to_owned));
            }
        }
    }
    anyhow::ensure!(!subscribers.is_empty(), "event bus {bus} has no rules");
    Ok(subscribers)
}

async fn arn(stack: &Stack, url: &str) -> anyhow::Result<String> {
    let name = QueueAttributeName::QueueArn;
    let call = stack.aws.sqs.get_queue_attributes().queue_url(url).attribute_names(name.clone());
    let response = call.send().await.map_err(failed)?;
    let arn = response.attributes().and_then(|attributes| attributes.get(&name));
    arn.cloned().with_context(|| format!("queue {url} has no ARN"))
}

fn send(stack: &Stack, copies: &BTreeMap<&str, Vec<&str>>) -> anyhow::Result<usize> {
    let mut sent = 0;
    stack.aws.wait(async {
        for (queue, messages) in copies {
            for batch in messages.chunks(MAX_BATCH) {
                let entry = |(index, body): (usize, &&str)| {
                    SendMessageBatchRequestEntry::builder().id(index.to_string()).message_body(*body).build()
                };
                let entries = batch.iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>()?;
                let call = stack.aws.sqs.send_message_batch().queue_url(*queue).set_entries(Some(entries));
                sent += call.send().await.map_err(failed)?.successful().len();
            }
        }
        Ok(sent)
    })
}

fn failed(error: impl std::error::Error) -> anyhow::Error {
    anyhow::anyhow!("the event recorder failed: {}", DisplayErrorContext(error))
}
