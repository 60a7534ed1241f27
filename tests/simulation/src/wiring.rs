//! Who listens to what, as `template.yaml` says.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use architecture::template::{MAPPING, QUEUE, Template, list, target};
use serde_json::Value;

/// Tell others of what happened, or work on what was asked for: they publish nothing and write nothing that the protocol
/// knows. The tests of `lambdas/partners` and `lambdas/documents` have their faults.
const TELL_OTHERS: [&str; 4] = ["DeliverWebhook", "IssueInvoice", "RecordSale", "ExportOrders"];

/// A queue with the function that reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The function's logical id.
    pub function: String,
    /// The types of the events that the bus puts into the queue.
    pub types: Vec<String>,
    /// How many messages the function gets at once, at most.
    pub batch_size: usize,
    /// For how long a message that was handed out is not handed out again.
    pub visibility: Duration,
    /// How often a message is handed out before it is a dead letter.
    pub max_receives: u32,
}

/// The template, as far as the simulation needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wiring {
    /// Each queue's.
    pub subscriptions: Vec<Subscription>,
    /// How many rows of the outbox the relay gets at once.
    pub stream_batch: usize,
    /// How often the stream tries a row.
    pub stream_attempts: u32,
    /// Attempts at a message.
    pub attempts: u32,
    /// The wait before the second attempt.
    pub retry_base: Duration,
    /// The age at which an order is given up.
    pub expire_after: Duration,
    /// How long a function may run.
    pub timeout: Duration,
    /// How long the functions behind the API may run.
    pub api_timeout: Duration,
}

fn number(value: &Value, template: &Template) -> anyhow::Result<u64> {
    let value = match target(value) {
        Some(parameter) => &template.parameter(parameter)["Default"],
        None => value,
    };
    value.as_u64().with_context(|| format!("{value} in template.yaml is no number"))
}

impl Wiring {
    /// Reads `template.yaml`.
    ///
    /// # Errors
    /// When it cannot be read, or lacks something.
    pub fn of_repository() -> anyhow::Result<Self> {
        let template = Template::of_repository()?;
        let read = |value: &Value| number(value, &template);
        let parameter = |name: &str| read(&template.parameter(name)["Default"]);
        let mut heard: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for rule in template.all("AWS::Events::Rule").values() {
            let types = list(rule.property("/EventPattern/detail-type"));
            for queue in list(rule.property("/Targets")).iter().filter_map(|found| target(&found["Arn"])) {
                heard
                    .entry(queue)
                    .or_default()
                    .extend(types.iter().filter_map(|name| Some(name.as_str()?.to_owned())));
            }
        }
        let queues = template.all(QUEUE);
        let mut subscriptions = Vec::new();
        let mut stream = None;
        for mapping in template.all(MAPPING).values() {
            let source = target(mapping.property("/EventSourceArn")).context("a mapping without a source")?;
            let function =
                target(mapping.property("/FunctionName")).context("a mapping without a function")?;
            let batch_size = usize::try_from(read(mapping.property("/BatchSize"))?)?;
            let Some(queue) = queues.get(source) else {
                stream = Some((batch_size, u32::try_from(read(mapping.property("/MaximumRetryAttempts"))?)?));
                continue;
            };
            if TELL_OTHERS.contains(&function) {
                continue;
            }
            subscriptions.push(Subscription {
                function: function.to_owned(),
                types: heard.remove(source).unwrap_or_default(),
                batch_size,
                visibility: Duration::from_secs(read(queue.property("/VisibilityTimeout"))?),
                max_receives: u32::try_from(read(queue.property("/RedrivePolicy/maxReceiveCount"))?)?,
            });
        }
        let (stream_batch, stream_attempts) = stream.context("template.yaml maps no stream")?;
        let functions = template.all(architecture::template::FUNCTION);
        let api = functions.get("OrdersApi").context("template.yaml has no OrdersApi")?;
        Ok(Self {
            subscriptions,
            stream_batch,
            stream_attempts,
            attempts: u32::try_from(parameter("MaxReceiveCount")?)?,
            retry_base: Duration::from_secs(parameter("RetryBaseSeconds")?),
            expire_after: Duration::from_secs(parameter("ExpireAfterSeconds")?),
            timeout: Duration::from_secs(read(&template.globals()["Timeout"])?),
            api_timeout: Duration::from_secs(read(api.setting("/Timeout"))?),
        })
    }
}
