//! The wiring of queues, streams and functions, from `template.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, ensure};
use architecture::template::{MAPPING, QUEUE, Template, list, target};
use heck::ToKebabCase;
use serde_json::Value;

/// The logical id of the function that reads the stream of the outbox.
const RELAY: &str = "RelayOutbox";

/// A queue and the function that reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The function's logical id.
    pub function: String,
    /// Whether the function does not affect orders. Observers are not run.
    pub is_observer: bool,
    /// The types of the events that the bus delivers to the queue.
    pub event_types: Vec<String>,
    /// The sources whose events the bus delivers to the queue.
    pub sources: Vec<String>,
    /// The maximum number of messages per invocation.
    pub batch_size: usize,
    /// The visibility timeout.
    pub visibility: Duration,
    /// How often a message is received before it moves to the dead-letter queue.
    pub max_receive_count: u32,
}

/// The settings of the template that the simulation needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wiring {
    /// The subscription of each queue.
    pub subscriptions: Vec<Subscription>,
    /// The event types that the role of each function allows it to publish, by binary name.
    pub publishes: BTreeMap<String, BTreeSet<String>>,
    /// The maximum number of outbox rows per invocation of the relay.
    pub stream_batch: usize,
    /// How often the stream retries a row.
    pub stream_max_attempts: u32,
    /// The maximum number of attempts for a message.
    pub max_attempts: u32,
    /// The wait before the second attempt.
    pub retry_base_delay: Duration,
    /// The age at which an order expires.
    pub expire_after: Duration,
    /// The timeout of a function.
    pub timeout: Duration,
    /// The timeout of the functions behind the API.
    pub api_timeout: Duration,
}

fn number(value: &Value, template: &Template) -> anyhow::Result<u64> {
    let value = match target(value) {
        Some(parameter) => &template.parameter(parameter)["Default"],
        None => value,
    };
    value.as_u64().with_context(|| format!("{value} in template.yaml is not a number"))
}

/// The sources that a pattern matches: a list, or parameters and names in one text that is split at commas.
fn sources(pattern: &Value, template: &Template) -> Vec<String> {
    let Some(text) = pattern["Fn::Split"][1]["Fn::Sub"].as_str() else {
        return list(pattern).iter().filter_map(|source| Some(source.as_str()?.to_owned())).collect();
    };
    let value = |source: &str| {
        let parameter = source.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        let default = parameter.and_then(|name| template.parameter(name)["Default"].as_str());
        default.unwrap_or(source).to_owned()
    };
    text.split(',')
        .map(value)
        .flat_map(|value| value.split(',').map(str::to_owned).collect::<Vec<_>>())
        .collect()
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
    /// If the template cannot be read, or lacks a setting.
    pub fn from_repository() -> anyhow::Result<Self> {
        Self::from_template(&Template::of_repository()?)
    }

    /// Reads the wiring from a template.
    ///
    /// # Errors
    /// If the template lacks a setting.
    pub fn from_template(template: &Template) -> anyhow::Result<Self> {
        let read = |value: &Value| number(value, template);
        let parameter = |name: &str| read(&template.parameter(name)["Default"]);
        let mut patterns_by_queue: BTreeMap<&str, (Vec<String>, Vec<String>)> = BTreeMap::new();
        let observers = template.observers();
        for rule in template.subscriptions().values() {
            let types = list(rule.property("/EventPattern/detail-type"));
            let types: Vec<String> =
                types.iter().filter_map(|name| Some(name.as_str()?.to_owned())).collect();
            let sources = sources(rule.property("/EventPattern/source"), template);
            for queue in list(rule.property("/Targets")).iter().filter_map(|found| target(&found["Arn"])) {
                let other = patterns_by_queue.insert(queue, (types.clone(), sources.clone()));
                ensure!(other.is_none(), "two rules deliver to {queue}: the simulation knows one");
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
                // The other stream feeds the search index, which does not affect orders.
                if function != RELAY {
                    continue;
                }
                let attempts = u32::try_from(read(mapping.property("/MaximumRetryAttempts"))?)?;
                let other = stream.replace((batch_size, attempts));
                ensure!(other.is_none(), "{RELAY} has two mappings: the simulation knows one");
                continue;
            };
            // Other queues do not receive events of the bus. The tests of their services cover their faults.
            let Some((event_types, sources)) = patterns_by_queue.remove(source) else { continue };
            subscriptions.push(Subscription {
                function: function.to_owned(),
                is_observer: observers.contains(function),
                event_types,
                sources,
                batch_size,
                visibility: Duration::from_secs(read(queue.property("/VisibilityTimeout"))?),
                max_receive_count: u32::try_from(read(queue.property("/RedrivePolicy/maxReceiveCount"))?)?,
            });
        }
        let (stream_batch, stream_max_attempts) =
            stream.with_context(|| format!("template.yaml maps no stream to {RELAY}"))?;
        let functions = template.all(architecture::template::FUNCTION);
        let api = functions.get("OrdersApi").context("template.yaml has no OrdersApi")?;
        Ok(Self {
            subscriptions,
            publishes: publishes(template),
            stream_batch,
            stream_max_attempts,
            max_attempts: u32::try_from(parameter("MaxReceiveCount")?)?,
            retry_base_delay: Duration::from_secs(parameter("RetryBaseSeconds")?),
            expire_after: Duration::from_secs(parameter("ExpireAfterSeconds")?),
            timeout: Duration::from_secs(read(&template.globals()["Timeout"])?),
            api_timeout: Duration::from_secs(read(api.setting("/Timeout"))?),
        })
    }
}
