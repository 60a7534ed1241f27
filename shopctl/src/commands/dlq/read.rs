//! `dlq list` and `dlq show`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use terminal::ui::{self, BOLD, DIM, RED, YELLOW, truncate};

use super::FilterArgs;
use super::print::{WIDTH, ago, message_count, print_body, print_effect, print_reason};
use crate::audit::Tables;
use crate::commands::print_json;
use crate::queues::{DeadLetterMessage, DeadLetterQueue, VISIBILITY_TIMEOUT_SECONDS, advice};
use crate::{Exit, Stack};

/// The document of `dlq list`.
#[derive(Serialize)]
struct List<'a> {
    stack: &'a str,
    queues: Vec<QueueSummary>,
}

/// The messages in a queue that match the filter.
#[derive(Serialize)]
struct QueueSummary {
    queue: String,
    messages: u64,
    /// How many of them could not be read because they are in flight.
    in_flight: u64,
    reasons: Vec<ReasonSummary>,
}

/// The messages with the same reason.
#[derive(Serialize)]
struct ReasonSummary {
    kind: String,
    reason: String,
    messages: u64,
    /// When the first of them failed.
    oldest: Option<Timestamp>,
}

/// The document of `dlq show`.
#[derive(Serialize)]
struct Shown<'a> {
    stack: &'a str,
    queues: Vec<ShownQueue>,
}

#[derive(Serialize)]
struct ShownQueue {
    queue: String,
    /// The number of messages that match the filter, also beyond the limit.
    matching: usize,
    messages: Vec<ShownMessage>,
}

#[derive(Serialize)]
struct ShownMessage {
    id: String,
    kind: String,
    reason: String,
    failed_at: Option<Timestamp>,
    order_id: Option<String>,
    attributes: BTreeMap<String, String>,
    /// Where `dlq redrive` would send it; `None` if it cannot be redriven.
    redrive_to: Option<String>,
    /// What the function would do with it now.
    effect: String,
    /// The event in it, or its body as a string.
    event: Value,
}

pub(super) fn list(stack: &Stack, args: &FilterArgs, json: bool) -> anyhow::Result<Exit> {
    let mut queues = Vec::new();
    for queue in args.queues(stack)? {
        let summary = summarize(stack, &queue, args)?;
        if !json {
            summary.print();
        }
        queues.push(summary);
    }
    let none = queues.iter().all(|queue| queue.messages == 0);
    if json {
        print_json(&List { stack: stack.name(), queues })?;
    }
    Ok(Exit::from_check(none))
}

fn summarize(stack: &Stack, queue: &DeadLetterQueue, args: &FilterArgs) -> anyhow::Result<QueueSummary> {
    let filter = args.filter();
    let count = queue.count(stack)?;
    let messages = if count == 0 { Vec::new() } else { queue.peek(stack, &filter)? };
    let read = u64::try_from(messages.len())?;
    let count = if filter.matches_all() { count.max(read) } else { read };
    let mut reasons: BTreeMap<(String, String), ReasonSummary> = BTreeMap::new();
    for message in &messages {
        let (kind, reason) = (message.kind().to_owned(), message.reason());
        let summary = reasons.entry((kind.clone(), reason.clone()));
        let summary = summary.or_insert(ReasonSummary { kind, reason, messages: 0, oldest: None });
        summary.messages = summary.messages.saturating_add(1);
        summary.oldest = [summary.oldest, message.failed_at()].into_iter().flatten().min();
    }
    Ok(QueueSummary {
        queue: queue.name.clone(),
        messages: count,
        in_flight: count.saturating_sub(read),
        reasons: reasons.into_values().collect(),
    })
}

impl QueueSummary {
    fn print(&self) {
        let (count, name) = (self.messages, &self.queue);
        if count == 0 {
            anstream::println!("{DIM}{count:>6}  {name}{DIM:#}");
            return;
        }
        anstream::println!("{RED}{count:>6}{RED:#}  {BOLD}{name}{BOLD:#}");
        for summary in &self.reasons {
            let since = summary.oldest.map_or_else(|| "?".to_owned(), ago);
            let line = format!("{:>6}  {}, oldest {since}: ", summary.messages, summary.kind);
            let left = WIDTH.saturating_sub(line.chars().count() + 2);
            anstream::println!("  {DIM}{line}{DIM:#}{}", truncate(&summary.reason, left));
        }
        if self.in_flight > 0 {
            anstream::println!(
                "  {YELLOW}{:>6}  in flight elsewhere: look again in {VISIBILITY_TIMEOUT_SECONDS} s{YELLOW:#}",
                self.in_flight
            );
        }
    }
}

pub(super) fn show(stack: &Stack, args: &FilterArgs, limit: usize, json: bool) -> anyhow::Result<Exit> {
    let (filter, tables) = (args.filter(), Tables::new(stack)?);
    let (mut all, mut queues) = (0_usize, Vec::new());
    for queue in args.queues(stack)? {
        if queue.count(stack)? == 0 {
            continue;
        }
        let messages = queue.peek(stack, &filter)?;
        if messages.is_empty() {
            continue;
        }
        all = all.saturating_add(messages.len());
        let target = queue.target(stack)?.to_string();
        let described = messages.iter().take(limit).map(|message| {
            let effect = advice::describe(&tables, &queue, message);
            (message, (!message.is_stream_pointer()).then(|| target.clone()), effect)
        });
        if json {
            let shown = described.map(|(message, target, effect)| ShownMessage::new(message, target, effect));
            queues.push(ShownQueue {
                queue: queue.name.clone(),
                matching: messages.len(),
                messages: shown.collect(),
            });
            continue;
        }
        ui::heading(&format!("{} · {}", queue.name, message_count(messages.len())));
        for (message, target, effect) in described {
            print_reason(message);
            print_effect(target.as_deref(), &effect);
            print_body(message);
            anstream::println!();
        }
        if messages.len() > limit {
            ui::note(&format!("{} more: --limit {}", messages.len() - limit, messages.len()));
        }
    }
    if json {
        print_json(&Shown { stack: stack.name(), queues })?;
    } else {
        ui::success(&message_count(all));
    }
    Ok(Exit::from_check(all == 0))
}

impl ShownMessage {
    fn new(message: &DeadLetterMessage, redrive_to: Option<String>, effect: String) -> Self {
        Self {
            id: message.id.clone(),
            kind: message.kind().to_owned(),
            reason: message.reason(),
            failed_at: message.failed_at(),
            order_id: message.order_id(),
            attributes: message.attributes.clone(),
            redrive_to,
            effect,
            event: message.event().unwrap_or_else(|| Value::String(message.body.clone())),
        }
    }
}
