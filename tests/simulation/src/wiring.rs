//! The wiring of queues, streams, schedules and functions, from `template.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, ensure};
use architecture::template::{FUNCTION, MAPPING, QUEUE, RULE, Template, list, target};
use heck::ToKebabCase;
use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use serde_json::Value;

/// A queue and the function that reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The function's logical id.
    pub function: String,
    /// The queue's logical id.
    pub queue: String,
    /// The types of the events that the bus delivers to the queue.
    pub event_types: Vec<String>,
    /// The sources whose events the bus delivers to the queue.
    pub sources: Vec<String>,
    /// The objects whose creation S3 reports to the queue.
    pub objects: Option<ObjectFilter>,
    /// The maximum number of messages per invocation.
    pub batch_size: usize,
    /// The visibility timeout.
    pub visibility: Duration,
    /// How often a message is received before it moves to the dead-letter queue.
    pub max_receive_count: u32,
}

/// The objects of a bucket whose keys start with a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectFilter {
    /// The bucket's logical id.
    pub bucket: String,
    /// The prefix of the keys.
    pub prefix: String,
}

/// The stream of a table and the function that reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamMapping {
    /// The function's logical id.
    pub function: String,
    /// The table's logical id.
    pub table: String,
    /// The kinds of changes that the function gets: `INSERT`, `MODIFY` or `REMOVE`; all if it is empty.
    pub event_names: Vec<String>,
    /// The maximum number of changes per invocation.
    pub batch_size: usize,
    /// How often the first change of a batch is retried.
    pub max_attempts: u32,
}

/// The schedule of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// The function's logical id.
    pub function: String,
    /// When the function is invoked.
    pub times: Times,
    /// How often Lambda retries an invocation that failed.
    pub max_retries: u32,
}

/// The times of a schedule.
#[derive(Debug, Clone, PartialEq)]
pub enum Times {
    /// At this interval, in whole minutes.
    Every(Duration),
    /// Each day at this time of this time zone.
    Daily(Time, TimeZone),
}

impl Times {
    /// Whether the function is invoked after `from`, at `until` at the latest.
    pub fn fell_due(&self, from: Timestamp, until: Timestamp) -> bool {
        match self {
            Self::Every(interval) => {
                let count = |time: Timestamp| {
                    u64::try_from(time.as_second()).unwrap_or_default() / interval.as_secs().max(1)
                };
                count(from) < count(until)
            }
            Self::Daily(..) => self.next_daily(from).is_some_and(|at| at <= until),
        }
    }

    /// The first time after `from` of a daily schedule.
    pub fn next_daily(&self, from: Timestamp) -> Option<Timestamp> {
        let Self::Daily(time, zone) = self else { return None };
        let day = zone.to_datetime(from).date();
        let days = [day, day.tomorrow().ok()?];
        days.into_iter()
            .filter_map(|day| zone.to_timestamp(day.to_datetime(*time)).ok())
            .find(|at| from < *at)
    }
}

/// The settings of the template that the simulation needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Wiring {
    /// The timeout of each function, by binary name.
    pub functions: BTreeMap<String, Duration>,
    /// The queues of functions.
    pub subscriptions: Vec<Subscription>,
    /// The streams of tables.
    pub streams: Vec<StreamMapping>,
    /// The schedules of functions.
    pub schedules: Vec<Schedule>,
    /// The event types that the role of each function allows it to publish, by binary name.
    pub publishes: BTreeMap<String, BTreeSet<String>>,
    /// The wait before the second attempt.
    pub retry_base_delay: Duration,
    /// The age at which an order expires.
    pub expire_after: Duration,
    /// The time zone of the shop.
    pub shop_time_zone: TimeZone,
    /// The timeout of a function.
    pub timeout: Duration,
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
    let functions = template.all(FUNCTION).into_keys();
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
    /// If the template lacks a setting, or has one that the simulation does not know.
    pub fn from_template(template: &Template) -> anyhow::Result<Self> {
        let parameter = |name: &str| number(&template.parameter(name)["Default"], template);
        let functions = template.all(FUNCTION);
        let timeouts = functions.iter().map(|(id, function)| {
            anyhow::Ok((
                id.to_kebab_case(),
                Duration::from_secs(number(function.setting("/Timeout"), template)?),
            ))
        });
        let (subscriptions, streams) = mappings(template)?;
        Ok(Self {
            functions: timeouts.collect::<anyhow::Result<_>>()?,
            subscriptions,
            streams,
            schedules: schedules(template)?,
            publishes: publishes(template),
            retry_base_delay: Duration::from_secs(parameter("RetryBaseSeconds")?),
            expire_after: Duration::from_secs(parameter("ExpireAfterSeconds")?),
            shop_time_zone: time_zone(&template.parameter("ShopTimeZone")["Default"], template)?,
            timeout: Duration::from_secs(number(&template.globals()["Timeout"], template)?),
        })
    }
}

impl Wiring {
    /// The timeout of a function, by binary name.
    pub fn timeout_of(&self, function: &str) -> Duration {
        self.functions.get(function).copied().unwrap_or(self.timeout)
    }
}

fn time_zone(value: &Value, template: &Template) -> anyhow::Result<TimeZone> {
    let value = target(value).map_or(value, |name| &template.parameter(name)["Default"]);
    Ok(TimeZone::get(value.as_str().context("a time zone in template.yaml is not a string")?)?)
}

/// The events and the objects that rules deliver to a queue.
#[derive(Default)]
struct Delivered {
    event_types: Vec<String>,
    sources: Vec<String>,
    objects: Option<ObjectFilter>,
}

/// What each queue receives by a rule, by the queue's logical id.
fn delivered_to_queues(template: &Template) -> anyhow::Result<BTreeMap<&str, Delivered>> {
    let mut found: BTreeMap<&str, Delivered> = BTreeMap::new();
    let subscriptions = template.subscriptions();
    for (id, rule) in template.all(RULE) {
        for queue in list(rule.property("/Targets")).iter().filter_map(|to| target(&to["Arn"])) {
            let delivered = found.entry(queue).or_default();
            if subscriptions.contains_key(id) {
                ensure!(
                    delivered.event_types.is_empty(),
                    "two rules deliver events to {queue}: the simulation knows one"
                );
                let types = list(rule.property("/EventPattern/detail-type")).iter();
                delivered.event_types.extend(types.filter_map(|name| Some(name.as_str()?.to_owned())));
                delivered.sources = sources(rule.property("/EventPattern/source"), template);
            } else {
                delivered.objects = object_filter(rule.property("/EventPattern"));
            }
        }
    }
    Ok(found)
}

/// The objects that a pattern for `Object Created` of S3 matches. Of alternatives, the one for S3 applies: the
/// simulation has no GuardDuty.
fn object_filter(pattern: &Value) -> Option<ObjectFilter> {
    if let Some(alternatives) = pattern["Fn::If"].as_array() {
        return alternatives.iter().skip(1).find_map(object_filter);
    }
    let detail = &pattern["detail"];
    let is_s3 = list(&pattern["source"]).iter().any(|source| source == "aws.s3");
    is_s3.then_some(ObjectFilter {
        bucket: target(&detail["bucket"]["name"][0])?.to_owned(),
        prefix: detail["object"]["key"][0]["prefix"].as_str()?.to_owned(),
    })
}

fn mappings(template: &Template) -> anyhow::Result<(Vec<Subscription>, Vec<StreamMapping>)> {
    let read = |value: &Value| number(value, template);
    let (queues, mut delivered) = (template.all(QUEUE), delivered_to_queues(template)?);
    let (mut subscriptions, mut streams) = (Vec::new(), Vec::new());
    for mapping in template.all(MAPPING).values() {
        let source = target(mapping.property("/EventSourceArn")).context("a mapping without a source")?;
        let function = target(mapping.property("/FunctionName")).context("a mapping without a function")?;
        let batch_size = usize::try_from(read(mapping.property("/BatchSize"))?)?;
        let Some(queue) = queues.get(source) else {
            let filters = list(mapping.property("/FilterCriteria/Filters")).iter();
            streams.push(StreamMapping {
                function: function.to_owned(),
                table: source.to_owned(),
                event_names: filters.map(event_names).collect::<anyhow::Result<Vec<_>>>()?.concat(),
                batch_size,
                max_attempts: u32::try_from(read(mapping.property("/MaximumRetryAttempts"))?)?,
            });
            continue;
        };
        let Delivered { event_types, sources, objects } = delivered.remove(source).unwrap_or_default();
        subscriptions.push(Subscription {
            function: function.to_owned(),
            queue: source.to_owned(),
            event_types,
            sources,
            objects,
            batch_size,
            visibility: Duration::from_secs(read(queue.property("/VisibilityTimeout"))?),
            max_receive_count: u32::try_from(read(queue.property("/RedrivePolicy/maxReceiveCount"))?)?,
        });
    }
    ensure!(!streams.is_empty(), "template.yaml maps no stream");
    Ok((subscriptions, streams))
}

/// The kinds of changes that a filter of a stream lets pass.
fn event_names(filter: &Value) -> anyhow::Result<Vec<String>> {
    let pattern = filter["Pattern"].as_str().context("a filter of a stream has no pattern")?;
    let pattern: BTreeMap<String, Vec<String>> = serde_json::from_str(pattern)?;
    let mut names = pattern.into_iter();
    let (Some((key, values)), None) = (names.next(), names.next()) else {
        anyhow::bail!("the simulation knows filters of streams by eventName only");
    };
    ensure!(key == "eventName", "the simulation knows filters of streams by eventName only, not by {key}");
    Ok(values)
}

fn schedules(template: &Template) -> anyhow::Result<Vec<Schedule>> {
    let mut found = Vec::new();
    for (id, function) in template.all(FUNCTION) {
        for event in function.property("/Events").as_object().into_iter().flat_map(|events| events.values()) {
            if event["Type"] != "ScheduleV2" {
                continue;
            }
            let schedule = &event["Properties"];
            let expression = schedule["ScheduleExpression"].as_str().unwrap_or_default();
            let zone = &schedule["ScheduleExpressionTimezone"];
            let zone = if zone.is_null() { TimeZone::UTC } else { time_zone(zone, template)? };
            let retries = number(function.property("/EventInvokeConfig/MaximumRetryAttempts"), template)?;
            found.push(Schedule {
                function: id.to_owned(),
                times: times(expression, zone).with_context(|| {
                    format!("the simulation does not know the schedule {expression} of {id}")
                })?,
                max_retries: u32::try_from(retries)?,
            });
        }
    }
    Ok(found)
}

/// Parses `rate(N minutes)` and `cron(M H * * ? *)`.
fn times(expression: &str, zone: TimeZone) -> Option<Times> {
    let (kind, arguments) = expression.strip_suffix(')')?.split_once('(')?;
    let fields: Vec<&str> = arguments.split(' ').collect();
    match (kind, fields.as_slice()) {
        ("rate", [count, "minute" | "minutes"]) => {
            let minutes = count.parse::<u64>().ok().filter(|minutes| *minutes > 0)?;
            Some(Times::Every(Duration::from_secs(60).saturating_mul(u32::try_from(minutes).ok()?)))
        }
        ("cron", [minute, hour, "*", "*", "?", "*"]) => {
            Some(Times::Daily(Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()?, zone))
        }
        _ => None,
    }
}
