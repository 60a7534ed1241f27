//! That no event is lost on the way to a function, or goes unnoticed when it is given up.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::Violations;
use crate::template::{FUNCTION, MAPPING, QUEUE, Resource, Template, list, target};

/// How many times a function's timeout a message must stay invisible
/// (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>).
const TIMEOUTS: u64 = 6;

/// The longest that SQS keeps a message, in seconds: 14 days.
const LONGEST_RETENTION: u64 = 1_209_600;

/// The queues that feed a function, each with its mapping.
fn feeding<'a>(template: &'a Template) -> BTreeMap<&'a str, (Resource<'a>, Resource<'a>)> {
    let queues = template.all(QUEUE);
    let of = |mapping: &Resource<'a>| queues.get(target(mapping.property("/EventSourceArn"))?).copied();
    template.all(MAPPING).into_values().filter_map(|m| of(&m).map(|queue| (queue.id, (queue, m)))).collect()
}

/// The queue that `path` of `resource` points to, if it is one for dead letters: one that feeds no function.
fn dead_letters<'a>(template: &'a Template, resource: Resource<'a>, path: &str) -> Option<&'a str> {
    target(resource.property(path))
        .filter(|id| template.all(QUEUE).contains_key(id) && !feeding(template).contains_key(id))
}

/// A message that a function fails on again and again ends in a queue for dead letters.
pub fn have_dead_letters(template: &Template) -> Violations {
    let missing = |queue: &Resource<'_>| {
        dead_letters(template, *queue, "/RedrivePolicy/deadLetterTargetArn").is_none()
            || queue.property("/RedrivePolicy/maxReceiveCount").is_null()
    };
    feeding(template)
        .into_values()
        .filter(|(queue, _)| missing(queue))
        .map(|(queue, _)| {
            format!(
                "{}: set RedrivePolicy, with a queue of its own for dead letters and a maxReceiveCount",
                queue.id
            )
        })
        .collect()
}

/// Dead letters are kept as long as can be, and an alarm tells of them.
pub fn dead_letters_are_noticed(template: &Template) -> Violations {
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
    let feeding = feeding(template);
    let mut found = Violations::new();
    for (id, queue) in template.all(QUEUE).into_iter().filter(|(id, _)| !feeding.contains_key(id)) {
        if !watched.contains(id) {
            found.push(format!(
                "{id}: add an alarm that acts when ApproximateNumberOfMessagesVisible is greater than 0"
            ));
        }
        if queue.property("/MessageRetentionPeriod") != LONGEST_RETENTION {
            found.push(format!(
                "{id}: set MessageRetentionPeriod to {LONGEST_RETENTION}, to have time to look"
            ));
        }
    }
    found
}

/// A message is not handed out again while a function still works on it.
pub fn stay_invisible_long_enough(template: &Template) -> Violations {
    let functions = template.all(FUNCTION);
    let mut found = Violations::new();
    for (queue, mapping) in feeding(template).into_values() {
        let function = target(mapping.property("/FunctionName")).and_then(|id| functions.get(id));
        let timeout = function.and_then(|function| function.setting("/Timeout").as_u64());
        let Some(timeout) = timeout else {
            found.push(format!("{}: let FunctionName refer to a function that has a Timeout", mapping.id));
            continue;
        };
        let least = timeout * TIMEOUTS;
        if queue.property("/VisibilityTimeout").as_u64().is_none_or(|seconds| seconds < least) {
            found.push(format!(
                "{}: set VisibilityTimeout to at least {least}, {TIMEOUTS} times the timeout of its function",
                queue.id
            ));
        }
    }
    found
}

/// A record that fails does not bring back those of its batch that did not.
pub fn answer_for_each_record(template: &Template) -> Violations {
    template
        .all(MAPPING)
        .into_values()
        .filter(|mapping| {
            !list(mapping.property("/FunctionResponseTypes")).contains(&"ReportBatchItemFailures".into())
        })
        .map(|mapping| format!("{}: set FunctionResponseTypes to [ReportBatchItemFailures]", mapping.id))
        .collect()
}

/// A record of a stream that fails again and again does not hold up those behind it, and is not lost.
pub fn streams_go_on(template: &Template) -> Violations {
    let feeding = feeding(template);
    let from_queue = |id: &str| feeding.values().any(|(_, mapping)| mapping.id == id);
    template
        .all(MAPPING)
        .into_values()
        .filter(|mapping| !from_queue(mapping.id))
        .filter(|mapping| {
            dead_letters(template, *mapping, "/DestinationConfig/OnFailure/Destination").is_none()
                || !mapping.property("/MaximumRetryAttempts").is_u64()
                || mapping.property("/BisectBatchOnFunctionError") != true
        })
        .map(|mapping| {
            format!(
                "{}: set MaximumRetryAttempts, BisectBatchOnFunctionError, and a queue as \
                 DestinationConfig.OnFailure",
                mapping.id
            )
        })
        .collect()
}

/// What the bus sends goes to a queue that feeds a function and takes it from that rule alone; what cannot be
/// delivered goes to that queue's dead letters, which take it too.
pub fn rules_deliver(template: &Template) -> Violations {
    let feeding = feeding(template);
    let mut found = Violations::new();
    for (id, rule) in template.all("AWS::Events::Rule") {
        for goal in list(rule.property("/Targets")) {
            let Some((queue, _)) = target(&goal["Arn"]).and_then(|id| feeding.get(id)) else {
                found.push(format!(
                    "{id}: let its target be a queue that feeds a function: a function that is called \
                     directly loses events"
                ));
                continue;
            };
            let undelivered = target(&goal["DeadLetterConfig"]["Arn"]);
            if undelivered.is_none()
                || undelivered != target(queue.property("/RedrivePolicy/deadLetterTargetArn"))
            {
                found.push(format!("{id}: set DeadLetterConfig to the dead letters of {}", queue.id));
            }
            for receiver in [Some(queue.id), undelivered].into_iter().flatten() {
                if !takes_from(template, receiver, id) {
                    found.push(format!(
                        "{receiver}: add a queue policy that lets events.amazonaws.com send, with \
                         aws:SourceArn {id}"
                    ));
                }
            }
        }
    }
    found
}

fn takes_from(template: &Template, queue: &str, rule: &str) -> bool {
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

/// A schedule that cannot call its function, and a call that fails, are told of.
pub fn schedules_are_noticed(template: &Template) -> Violations {
    let scheduled = |function: &Resource<'_>| {
        let events = function.property("/Events").as_object();
        let schedule = events?.values().find(|event| event["Type"] == "ScheduleV2")?;
        Some(schedule["Properties"].clone())
    };
    let is_dead_letters =
        |value: &Value| target(value).is_some_and(|id| template.all(QUEUE).contains_key(id));
    let mut found = Violations::new();
    for (id, function) in template.all(FUNCTION) {
        let Some(schedule) = scheduled(&function) else { continue };
        if !is_dead_letters(&schedule["DeadLetterConfig"]["Arn"]) {
            found.push(format!(
                "{id}: set DeadLetterConfig of its schedule, for calls that do not get through"
            ));
        }
        if !is_dead_letters(function.property("/EventInvokeConfig/DestinationConfig/OnFailure/Destination")) {
            found
                .push(format!("{id}: set EventInvokeConfig.DestinationConfig.OnFailure, for runs that fail"));
        }
        let config =
            |key: &str| function.property(&format!("/EventInvokeConfig/{key}")).as_u64().unwrap_or_default();
        let timeout = function.setting("/Timeout").as_u64().unwrap_or_default();
        let least = retry_age(timeout, config("MaximumRetryAttempts"));
        if config("MaximumEventAgeInSeconds") < least {
            found.push(format!(
                "{id}: set EventInvokeConfig.MaximumEventAgeInSeconds to {least} or more: its last retry comes that late"
            ));
        }
    }
    found
}

/// How old an event is when Lambda retries it for the last time, in seconds: each attempt may take the whole timeout, and
/// Lambda waits one minute before the first retry and two before the second
/// (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>).
fn retry_age(timeout: u64, retries: u64) -> u64 {
    let waits: u64 = [60, 120].into_iter().take(usize::try_from(retries).unwrap_or(2)).sum();
    timeout * retries + waits
}

/// `check-health` looks at each queue, and may.
pub fn are_looked_at(template: &Template) -> Violations {
    let functions = template.all(FUNCTION);
    let Some(check) = functions.get("CheckHealth") else { return vec!["CheckHealth: it is gone".to_owned()] };
    let names = check.property("/Environment/Variables/QUEUES/Fn::Join/1");
    let named = |id: &str| list(names).iter().any(|name| target(name) == Some(id));
    let allowed = |id: &str| {
        let read = template.statements_about("CheckHealth", "sqs:GetQueueAttributes");
        read.into_iter()
            .any(|statement| list(&statement["Resource"]).iter().any(|arn| target(arn) == Some(id)))
    };
    template
        .all(QUEUE)
        .into_keys()
        .filter(|id| !named(id) || !allowed(id))
        .map(|id| {
            format!("{id}: add it to QUEUES of CheckHealth, and to the queues whose attributes it may read")
        })
        .collect()
}

/// What feeds the function `X` is called after it, so that people and tools find it: from `XQueue`, with what it
/// gives up in `XDeadLetters`. The function is told the same.
pub fn belong_to_one_function(template: &Template) -> Violations {
    let functions = template.all(FUNCTION);
    let feeding = feeding(template);
    let mut found = Violations::new();
    for mapping in template.all(MAPPING).into_values() {
        let Some(function) = target(mapping.property("/FunctionName")).and_then(|id| functions.get(id))
        else {
            found.push(format!("{}: let FunctionName refer to a function of this template", mapping.id));
            continue;
        };
        let queue = feeding.values().find(|(_, other)| other.id == mapping.id).map(|(queue, _)| *queue);
        let dead_letters = match queue {
            Some(queue) => queue.property("/RedrivePolicy/deadLetterTargetArn"),
            None => mapping.property("/DestinationConfig/OnFailure/Destination"),
        };
        let told = |name: &str| target(function.setting(&format!("/Environment/Variables/{name}")));
        let mut expect = |what: &str, is: Option<&str>, name: &str| {
            if is != Some(name) {
                found.push(format!("{}: let {what} be {name}", function.id));
            }
        };
        let (own_queue, own_letters) =
            (format!("{}Queue", function.id), format!("{}DeadLetters", function.id));
        if let Some(queue) = queue {
            expect("the queue that feeds it", Some(queue.id), &own_queue);
            expect("QUEUE_URL", told("QUEUE_URL"), &own_queue);
        }
        expect("the queue for what it gives up", target(dead_letters), &own_letters);
        expect("DEAD_LETTER_QUEUE_URL", told("DEAD_LETTER_QUEUE_URL"), &own_letters);
        if let Some(queue) = queue {
            found.extend(attempts_differ(function, queue));
        }
    }
    found
}

/// Functions that count for themselves when something is given up, and why.
const OWN_COUNT: &[(&str, &str)] = &[(
    "DeliverWebhook",
    "a partner's server may be down for a day and more, which is no business of an operator's",
)];

/// A function and its queue count the same attempts: those of the parameter, unless the function has a reason.
fn attempts_differ(function: &Resource<'_>, queue: Resource<'_>) -> Option<String> {
    let told = function.setting("/Environment/Variables/MAX_RECEIVE_COUNT");
    let counted = queue.property("/RedrivePolicy/maxReceiveCount");
    let id = function.id;
    let usual = target(counted) == Some("MaxReceiveCount");
    let own = counted.is_u64() && OWN_COUNT.iter().any(|(name, _)| *name == id);
    if !usual && !own {
        return Some(format!(
            "{id}: let its queue's maxReceiveCount be MaxReceiveCount, or say in OWN_COUNT why not"
        ));
    }
    // An environment variable is text, also where it is a number.
    let same = told == counted || told.as_str() == Some(counted.to_string().as_str());
    (!same).then(|| format!("{id}: let MAX_RECEIVE_COUNT and its queue's maxReceiveCount be the same"))
}

#[cfg(test)]
mod tests;
