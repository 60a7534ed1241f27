//! Checks that no event is lost on its way to a function, and that dead letters raise an alarm.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::Violations;
use crate::template::{FUNCTION, MAPPING, QUEUE, Resource, Template, list, target};

/// The minimum visibility timeout of a queue, in timeouts of its function
/// (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>).
const MIN_VISIBILITY_TIMEOUTS: u64 = 6;

/// The maximum retention period of SQS in seconds: 14 days.
const MAX_RETENTION: u64 = 1_209_600;

/// The queues that trigger a function, each with its event source mapping.
fn source_queues<'a>(template: &'a Template) -> BTreeMap<&'a str, (Resource<'a>, Resource<'a>)> {
    let queues = template.all(QUEUE);
    let queue_of = |mapping: &Resource<'a>| queues.get(target(mapping.property("/EventSourceArn"))?).copied();
    template
        .all(MAPPING)
        .into_values()
        .filter_map(|m| queue_of(&m).map(|queue| (queue.id, (queue, m))))
        .collect()
}

/// The queue that `path` of `resource` points to, if it is a dead-letter queue: one that triggers no function.
fn dead_letter_queue<'a>(template: &'a Template, resource: Resource<'a>, path: &str) -> Option<&'a str> {
    target(resource.property(path))
        .filter(|id| template.all(QUEUE).contains_key(id) && !source_queues(template).contains_key(id))
}

/// A message that keeps failing is moved to a dead-letter queue.
pub fn have_dead_letter_queues(template: &Template) -> Violations {
    let missing = |queue: &Resource<'_>| {
        dead_letter_queue(template, *queue, "/RedrivePolicy/deadLetterTargetArn").is_none()
            || queue.property("/RedrivePolicy/maxReceiveCount").is_null()
    };
    source_queues(template)
        .into_values()
        .filter(|(queue, _)| missing(queue))
        .map(|(queue, _)| {
            format!("{}: set RedrivePolicy, with its own dead-letter queue and a maxReceiveCount", queue.id)
        })
        .collect()
}

/// Dead letters are kept as long as possible, and raise an alarm.
pub fn dead_letters_raise_alarms(template: &Template) -> Violations {
    let alarms = template.all("AWS::CloudWatch::Alarm");
    let watched: BTreeSet<&str> = alarms
        .values()
        .filter(|alarm| {
            alarm.property("/MetricName") == "ApproximateNumberOfMessagesVisible"
                && alarm.property("/ComparisonOperator") == "GreaterThanThreshold"
                && alarm.property("/Threshold") == 0
                && !list(alarm.property("/AlarmActions")).is_empty()
        })
        .filter_map(|alarm| target(alarm.property("/Dimensions/0/Value")))
        .collect();
    let sources = source_queues(template);
    let mut found = Violations::new();
    for (id, queue) in template.all(QUEUE).into_iter().filter(|(id, _)| !sources.contains_key(id)) {
        if !watched.contains(id) {
            found.push(format!(
                "{id}: add an alarm that acts when ApproximateNumberOfMessagesVisible is greater than 0"
            ));
        }
        if queue.property("/MessageRetentionPeriod") != MAX_RETENTION {
            found.push(format!(
                "{id}: set MessageRetentionPeriod to {MAX_RETENTION}, to have time to investigate"
            ));
        }
    }
    found
}

/// A message is not redelivered while a function still processes it.
pub fn visibility_timeouts_are_long_enough(template: &Template) -> Violations {
    let functions = template.all(FUNCTION);
    let mut found = Violations::new();
    for (queue, mapping) in source_queues(template).into_values() {
        let function = target(mapping.property("/FunctionName")).and_then(|id| functions.get(id));
        let timeout = function.and_then(|function| function.setting("/Timeout").as_u64());
        let Some(timeout) = timeout else {
            found.push(format!(
                "{}: set FunctionName to a reference to a function with a Timeout",
                mapping.id
            ));
            continue;
        };
        let min = timeout * MIN_VISIBILITY_TIMEOUTS;
        if queue.property("/VisibilityTimeout").as_u64().is_none_or(|seconds| seconds < min) {
            found.push(format!(
                "{}: set VisibilityTimeout to at least {min}, {MIN_VISIBILITY_TIMEOUTS} times the timeout of its function",
                queue.id
            ));
        }
    }
    found
}

/// A failed record does not cause a retry of the other records of its batch.
pub fn report_batch_item_failures(template: &Template) -> Violations {
    template
        .all(MAPPING)
        .into_values()
        .filter(|mapping| {
            !list(mapping.property("/FunctionResponseTypes")).contains(&"ReportBatchItemFailures".into())
        })
        .map(|mapping| format!("{}: set FunctionResponseTypes to [ReportBatchItemFailures]", mapping.id))
        .collect()
}

/// A stream record that keeps failing does not block the records after it, and is not lost.
pub fn streams_are_not_blocked(template: &Template) -> Violations {
    let sources = source_queues(template);
    let is_from_queue = |id: &str| sources.values().any(|(_, mapping)| mapping.id == id);
    template
        .all(MAPPING)
        .into_values()
        .filter(|mapping| !is_from_queue(mapping.id))
        .filter(|mapping| {
            dead_letter_queue(template, *mapping, "/DestinationConfig/OnFailure/Destination").is_none()
                || !mapping.property("/MaximumRetryAttempts").is_u64()
                || mapping.property("/BisectBatchOnFunctionError") != true
        })
        .map(|mapping| {
            format!(
                "{}: set MaximumRetryAttempts, BisectBatchOnFunctionError and a queue as \
                 DestinationConfig.OnFailure",
                mapping.id
            )
        })
        .collect()
}

/// The target of each rule is a queue that triggers a function and accepts messages only from that rule. Events that
/// cannot be delivered go to the queue's dead-letter queue, which accepts them too. A function with a schedule may be
/// the target of AWS's own events: its next run makes up for a lost one.
pub fn rules_deliver_to_queues(template: &Template) -> Violations {
    let sources = source_queues(template);
    let mut found = Violations::new();
    for (id, rule) in template.all("AWS::Events::Rule") {
        for rule_target in list(rule.property("/Targets")) {
            let function = target(&rule_target["Arn"]).and_then(|id| template.all(FUNCTION).remove(id));
            let is_of_aws = rule.property("/EventBusName").is_null();
            if is_of_aws && function.is_some_and(|function| schedule_of(&function).is_some()) {
                continue;
            }
            let Some((queue, _)) = target(&rule_target["Arn"]).and_then(|id| sources.get(id)) else {
                found.push(format!(
                    "{id}: set its target to a queue that triggers a function: a function that is invoked \
                     directly loses events"
                ));
                continue;
            };
            let undelivered = target(&rule_target["DeadLetterConfig"]["Arn"]);
            if undelivered.is_none()
                || undelivered != target(queue.property("/RedrivePolicy/deadLetterTargetArn"))
            {
                found.push(format!("{id}: set DeadLetterConfig to the dead-letter queue of {}", queue.id));
            }
            for queue in [Some(queue.id), undelivered].into_iter().flatten() {
                if !accepts_from(template, queue, id) {
                    found.push(format!(
                        "{queue}: add a queue policy that allows events.amazonaws.com to send, with \
                         aws:SourceArn {id}"
                    ));
                }
            }
        }
    }
    found
}

fn accepts_from(template: &Template, queue: &str, rule: &str) -> bool {
    template.all("AWS::SQS::QueuePolicy").into_values().any(|policy| {
        list(policy.property("/Queues")).iter().any(|id| target(id) == Some(queue))
            && list(policy.property("/PolicyDocument/Statement")).iter().any(|statement| {
                statement["Effect"] == "Allow"
                    && statement["Action"] == "sqs:SendMessage"
                    && statement["Principal"]["Service"] == "events.amazonaws.com"
                    && target(&statement["Resource"]) == Some(queue)
                    && target(&statement["Condition"]["ArnEquals"]["aws:SourceArn"]) == Some(rule)
            })
    })
}

/// The properties of a function's schedule.
fn schedule_of(function: &Resource<'_>) -> Option<Value> {
    let events = function.property("/Events").as_object();
    let schedule = events?.values().find(|event| event["Type"] == "ScheduleV2")?;
    Some(schedule["Properties"].clone())
}

/// Failures of a schedule to invoke its function, and failed invocations, are sent to a dead-letter queue.
pub fn schedules_have_dead_letter_queues(template: &Template) -> Violations {
    let is_queue = |value: &Value| target(value).is_some_and(|id| template.all(QUEUE).contains_key(id));
    let mut found = Violations::new();
    for (id, function) in template.all(FUNCTION) {
        let Some(schedule) = schedule_of(&function) else { continue };
        if !is_queue(&schedule["DeadLetterConfig"]["Arn"]) {
            found.push(format!(
                "{id}: set DeadLetterConfig of its schedule, for invocations that fail to start"
            ));
        }
        if !is_queue(function.property("/EventInvokeConfig/DestinationConfig/OnFailure/Destination")) {
            found.push(format!(
                "{id}: set EventInvokeConfig.DestinationConfig.OnFailure, for invocations that fail"
            ));
        }
        let config =
            |key: &str| function.property(&format!("/EventInvokeConfig/{key}")).as_u64().unwrap_or_default();
        let timeout = function.setting("/Timeout").as_u64().unwrap_or_default();
        let min = max_retry_age(timeout, config("MaximumRetryAttempts"));
        if config("MaximumEventAgeInSeconds") < min {
            found.push(format!(
                "{id}: set EventInvokeConfig.MaximumEventAgeInSeconds to at least {min}, the age of the event at its last retry"
            ));
        }
    }
    found
}

/// The maximum age of an event at its last retry, in seconds: each attempt may take the whole timeout, and
/// Lambda waits one minute before the first retry and two before the second
/// (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>).
fn max_retry_age(timeout: u64, retries: u64) -> u64 {
    let waits: u64 = [60, 120].into_iter().take(usize::try_from(retries).unwrap_or(2)).sum();
    timeout * retries + waits
}

/// `check-health` monitors each queue, and has the permission to.
pub fn are_monitored(template: &Template) -> Violations {
    let functions = template.all(FUNCTION);
    let Some(check) = functions.get("CheckHealth") else {
        return vec!["CheckHealth: the function is missing".to_owned()];
    };
    let names = check.property("/Environment/Variables/QUEUES/Fn::Join/1");
    let is_listed = |id: &str| list(names).iter().any(|name| target(name) == Some(id));
    let is_allowed = |id: &str| {
        let read = template.statements_about("CheckHealth", "sqs:GetQueueAttributes");
        read.into_iter()
            .any(|statement| list(&statement["Resource"]).iter().any(|arn| target(arn) == Some(id)))
    };
    template
        .all(QUEUE)
        .into_keys()
        .filter(|id| !is_listed(id) || !is_allowed(id))
        .map(|id| {
            format!("{id}: add it to QUEUES of CheckHealth, and to the queues whose attributes it may read")
        })
        .collect()
}

/// The queues of the function `X` are named after it, so that users and tools can find them: its messages come from
/// `XQueue`, and its dead letters go to `XDeadLetters`. The function's environment refers to the same queues.
pub fn belong_to_one_function(template: &Template) -> Violations {
    let functions = template.all(FUNCTION);
    let sources = source_queues(template);
    let mut found = Violations::new();
    for mapping in template.all(MAPPING).into_values() {
        let Some(function) = target(mapping.property("/FunctionName")).and_then(|id| functions.get(id))
        else {
            found.push(format!(
                "{}: set FunctionName to a reference to a function of this template",
                mapping.id
            ));
            continue;
        };
        let queue = sources.values().find(|(_, other)| other.id == mapping.id).map(|(queue, _)| *queue);
        let dead_letters = match queue {
            Some(queue) => queue.property("/RedrivePolicy/deadLetterTargetArn"),
            None => mapping.property("/DestinationConfig/OnFailure/Destination"),
        };
        let variable = |name: &str| target(function.setting(&format!("/Environment/Variables/{name}")));
        let mut expect = |what: &str, actual: Option<&str>, name: &str| {
            if actual != Some(name) {
                found.push(format!("{}: set {what} to {name}", function.id));
            }
        };
        let (own_queue, own_dead_letters) =
            (format!("{}Queue", function.id), format!("{}DeadLetters", function.id));
        if let Some(queue) = queue {
            expect("the source queue", Some(queue.id), &own_queue);
            expect("QUEUE_URL", variable("QUEUE_URL"), &own_queue);
        }
        expect("the dead-letter queue", target(dead_letters), &own_dead_letters);
        expect("DEAD_LETTER_QUEUE_URL", variable("DEAD_LETTER_QUEUE_URL"), &own_dead_letters);
        if let Some(queue) = queue {
            found.extend(max_receive_count_violation(function, queue));
        }
    }
    found
}

/// Functions with their own `maxReceiveCount`, and the reason.
const OWN_RECEIVE_COUNT: &[(&str, &str)] = &[(
    "DeliverWebhook",
    "a partner's server may be down for more than a day, which no operator needs to handle",
)];

/// A function and its queue have the same `maxReceiveCount`: that of the parameter, unless the function has a reason for
/// another one.
fn max_receive_count_violation(function: &Resource<'_>, queue: Resource<'_>) -> Option<String> {
    let variable = function.setting("/Environment/Variables/MAX_RECEIVE_COUNT");
    let count = queue.property("/RedrivePolicy/maxReceiveCount");
    let id = function.id;
    let is_default = target(count) == Some("MaxReceiveCount");
    let is_own = count.is_u64() && OWN_RECEIVE_COUNT.iter().any(|(name, _)| *name == id);
    if !is_default && !is_own {
        return Some(format!(
            "{id}: set maxReceiveCount of its queue to MaxReceiveCount, or add the reason to OWN_RECEIVE_COUNT"
        ));
    }
    // Environment variables are strings, also if they hold a number.
    let is_same = variable == count || variable.as_str() == Some(count.to_string().as_str());
    (!is_same).then(|| format!("{id}: set MAX_RECEIVE_COUNT to the maxReceiveCount of its queue"))
}

#[cfg(test)]
mod tests;
