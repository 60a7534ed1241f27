//! The functions' logs in CloudWatch Logs: the lines about orders.

use std::collections::BTreeMap;

use anyhow::Context as _;
use aws_sdk_cloudwatchlogs::error::DisplayErrorContext;
use futures::future::try_join_all;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::stack::Stack;

/// An event or request that a function handled: a log line with the message `handled`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Handled {
    /// The id of the log event in CloudWatch Logs.
    #[serde(skip)]
    pub id: String,
    /// The time of the log line.
    pub at: Timestamp,
    pub function: String,
    /// The type of the event, or the method and route of the request, such as `POST /orders`.
    pub trigger: String,
    /// The number of the delivery, from 1; 1 for a request.
    pub attempt: u64,
    /// `ok`, `retry`, `reject` or `poison`.
    pub outcome: String,
    /// The reason of an outcome other than `ok`.
    pub reason: Option<String>,
    /// The types of the events that were published.
    pub published: Vec<String>,
    /// The delay of the next attempt, in milliseconds from `at`.
    pub retry_in_ms: Option<u64>,
    /// Whether the message was sent to the dead-letter queue.
    pub dead_letter: bool,
    pub duration_ms: Option<u64>,
}

/// A line of a function's log.
pub struct Line {
    /// The id of the log event in CloudWatch Logs.
    pub id: String,
    /// When CloudWatch Logs received it.
    pub at: Timestamp,
    /// The function, by its name in this repository.
    pub function: String,
    /// The line as it was written.
    pub text: String,
}

/// Parses a line of a function's log. `None` if it is not about a handled event or request.
pub fn parse(id: &str, logged_at: Timestamp, function: &str, line: &str) -> Option<Handled> {
    let line: Value = serde_json::from_str(line.trim()).ok()?;
    let text = |key: &str| line.get(key).and_then(Value::as_str).map(str::to_owned);
    let number = |key: &str| line.get(key).and_then(Value::as_u64);
    if text("message")? != "handled" {
        return None;
    }
    let published = match line.get("published") {
        Some(Value::Array(types)) => types.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(types)) => {
            types.split(',').filter(|kind| !kind.is_empty()).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    };
    Some(Handled {
        id: id.to_owned(),
        at: text("timestamp").and_then(|at| at.parse().ok()).unwrap_or(logged_at),
        function: text("function").unwrap_or_else(|| function.to_owned()),
        trigger: text("event_type").unwrap_or_default(),
        attempt: number("attempt").unwrap_or(1),
        outcome: text("outcome").unwrap_or_default(),
        reason: text("reason"),
        published,
        retry_in_ms: number("again_in_ms"),
        dead_letter: line.get("dead_letter").and_then(Value::as_bool).unwrap_or(false),
        duration_ms: number("duration_ms"),
    })
}

/// Reads the logs of the functions of a stack.
pub struct Reader<'a> {
    stack: &'a Stack,
    groups: BTreeMap<String, String>,
}

impl<'a> Reader<'a> {
    /// Finds the log groups of the stack.
    pub fn open(stack: &'a Stack) -> anyhow::Result<Self> {
        let groups = stack.log_groups()?;
        anyhow::ensure!(!groups.is_empty(), "stack {} has no functions", stack.name());
        Ok(Self { stack, groups })
    }

    /// The log lines about an order since a time, the oldest first.
    pub fn for_order(&self, order_id: &str, since: Option<Timestamp>) -> anyhow::Result<Vec<Handled>> {
        let mut all = self.handled(order_id, since)?;
        all.sort_by_key(|handled| handled.at);
        Ok(all)
    }

    /// The log lines of all functions, in no particular order.
    pub fn all(&self) -> anyhow::Result<Vec<Handled>> {
        self.handled("handled", None)
    }

    fn handled(&self, term: &str, since: Option<Timestamp>) -> anyhow::Result<Vec<Handled>> {
        let lines = self.lines(term, since)?.into_iter();
        Ok(lines.filter_map(|line| parse(&line.id, line.at, &line.function, &line.text)).collect())
    }

    /// The log lines of all functions that contain `term`, in no particular order.
    pub fn lines(&self, term: &str, since: Option<Timestamp>) -> anyhow::Result<Vec<Line>> {
        let reads = self.groups.iter().map(|(function, group)| self.group(function, group, term, since));
        Ok(self.stack.aws.wait(try_join_all(reads))?.into_iter().flatten().collect())
    }

    async fn group(
        &self,
        function: &str,
        group: &str,
        term: &str,
        since: Option<Timestamp>,
    ) -> anyhow::Result<Vec<Line>> {
        let mut pages = self
            .stack
            .aws
            .logs
            .filter_log_events()
            .log_group_name(group)
            // Quoted, because the hyphens of an id would have a meaning in a filter pattern.
            .filter_pattern(format!("\"{term}\""))
            .set_start_time(since.map(Timestamp::as_millisecond))
            .into_paginator()
            .send();
        let mut lines = Vec::new();
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                // A function that has never run may not have a log group.
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(|error| error.is_resource_not_found_exception()) =>
                {
                    return Ok(Vec::new());
                }
                Err(error) => {
                    let error = anyhow::anyhow!("{}", DisplayErrorContext(&error));
                    return Err(error).with_context(|| format!("cannot read log group {group}"));
                }
            };
            for event in page.events() {
                let at =
                    Timestamp::from_millisecond(event.timestamp().unwrap_or_default()).unwrap_or_default();
                let text = event.message().unwrap_or_default().to_owned();
                // The emulator returns no event ids. Lines differ at least in their timestamps.
                let id = event.event_id().map_or_else(|| format!("{function} {text}"), str::to_owned);
                lines.push(Line { id, at, function: function.to_owned(), text });
            }
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Timestamp {
        "2026-01-01T00:00:09Z".parse().unwrap()
    }

    #[test]
    fn a_line_of_a_queue_function_is_parsed() {
        let line = r#"{"timestamp":"2026-01-01T00:00:01.250Z","level":"WARN","function":"process-payment",
            "event_type":"reservation.confirmed","order_id":"o-1","attempt":2,"outcome":"retry",
            "reason":"Stripe answered 503","again_in_ms":2100,"dead_letter":false,"duration_ms":31,"message":"handled"}"#;
        let handled = parse("7", at(), "ignored", &line.replace('\n', "")).unwrap();
        assert_eq!(handled.at.as_millisecond() % 60_000, 1250);
        assert_eq!(handled.function, "process-payment");
        assert_eq!(handled.trigger, "reservation.confirmed");
        assert_eq!((handled.attempt, handled.outcome.as_str()), (2, "retry"));
        assert_eq!(handled.reason.as_deref(), Some("Stripe answered 503"));
        assert_eq!(handled.retry_in_ms, Some(2100));
        assert!(handled.published.is_empty() && !handled.dead_letter);
    }

    #[test]
    fn published_types_are_parsed_from_text_and_lists() {
        let text = r#"{"message":"handled","outcome":"ok","published":"payment.succeeded,order.paid"}"#;
        let list = r#"{"message":"handled","outcome":"ok","published":["payment.succeeded","order.paid"]}"#;
        for line in [text, list] {
            let handled = parse("1", at(), "process-payment", line).unwrap();
            assert_eq!(handled.published, ["payment.succeeded", "order.paid"]);
            assert_eq!((handled.at, handled.function.as_str()), (at(), "process-payment"));
        }
        let none = parse("1", at(), "f", r#"{"message":"handled","published":""}"#).unwrap();
        assert!(none.published.is_empty());
    }

    #[test]
    fn other_lines_are_ignored() {
        assert_eq!(parse("1", at(), "f", "START RequestId: 1 Version: $LATEST"), None);
        assert_eq!(parse("1", at(), "f", r#"{"message":"starting","order_id":"o-1"}"#), None);
        assert_eq!(parse("1", at(), "f", r#"{"order_id":"o-1"}"#), None);
    }
}
