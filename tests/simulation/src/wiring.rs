//! Who listens to what, as `template.yaml` says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context;
use architecture::template::{MAPPING, QUEUE, Template, list, target};
use heck::ToKebabCase;
use serde_json::Value;

/// A queue with the function that reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The function's logical id.
    pub function: String,
    /// Whether it takes no part in what becomes of an order: then it is not run.
    pub observes: bool,
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
    /// The types of event that the role of each function lets it put on the bus, by the function's binary.
    pub publishes: BTreeMap<String, BTreeSet<String>>,
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

fn publishes(template: &Template) -> BTreeMap<String, BTreeSet<String>> {
    let allowed = |id: &str| {
        let puts = |it: &&&Value| list(&it["Action"]).iter().any(|action| action == "events:PutEvents");
        let statements = template.statements(id);
        let types = statements.iter().filter(puts).flat_map(|it| {
            list(&it["Condition"]["ForAllValues:StringEquals"]["events:detail-type"])
                .iter()
                .filter_map(Value::as_str)
        });
        types.map(str::to_owned).collect()
    };
    let functions = template.all(architecture::template::FUNCTION).into_keys();
    functions.map(|id| (id.to_kebab_case(), allowed(id))).collect()
}

impl Wiring {
    /// Reads `template.yaml`.
    ///
    /// # Errors
    /// When it cannot be read, or lacks something.
    pub fn of_repository() -> anyhow::Result<Self> {
        Self::of(&Template::of_repository()?)
    }

    /// Reads a template.
    ///
    /// # Errors
    /// When it lacks something.
    pub fn of(template: &Template) -> anyhow::Result<Self> {
        let read = |value: &Value| number(value, template);
        let parameter = |name: &str| read(&template.parameter(name)["Default"]);
        let mut heard: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let observers = template.observers();
        for rule in template.subscriptions().values() {
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
                // Of the orders' stream nothing follows for an order: the search index is made of it.
                if source != "OutboxTable" {
                    continue;
                }
                stream = Some((batch_size, u32::try_from(read(mapping.property("/MaximumRetryAttempts"))?)?));
                continue;
            };
            // What other queues bring, nobody publishes: the tests of the services have its faults.
            let Some(types) = heard.remove(source) else { continue };
            subscriptions.push(Subscription {
                function: function.to_owned(),
                observes: observers.contains(function),
                types,
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
            publishes: publishes(template),
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
