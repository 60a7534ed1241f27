//! `cargo xtask dlq`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};

use crate::audit::Tables;
use crate::queues::{
    BackupFile, DeadLetterMessage, DeadLetterQueue, Disposition, MessageFilter, SweepResult, Target,
    VISIBILITY_TIMEOUT_SECONDS, advice,
};
use crate::stack::Stack;
use crate::ui::{self, BOLD, CYAN, DIM, RED, YELLOW, truncate};
use crate::{duration, signals};

/// The width of the output, in columns.
const WIDTH: usize = 80;

/// Inspect, redrive or discard messages in dead-letter queues.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the dead-letter queues with their numbers of messages, and the reasons.
    List(FilterArgs),
    /// Show messages with their reasons, and what redriving them would do. Leaves them in the queue.
    Show {
        #[command(flatten)]
        filter: FilterArgs,
        /// The maximum number of messages per queue.
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
    },
    /// Send messages back to their source queue. Fix the cause first. Without --yes, only shows what it would
    /// do.
    Redrive {
        #[command(flatten)]
        filter: FilterArgs,
        #[command(flatten)]
        execution: ExecutionArgs,
    },
    /// Delete messages, after saving them to a file. Without --yes, only shows what it would do.
    Discard {
        #[command(flatten)]
        filter: FilterArgs,
        #[command(flatten)]
        execution: ExecutionArgs,
        /// Where to save the deleted messages, one JSON object per line; an existing file is appended to. The
        /// default is a new file in .local/dead-letters.
        #[arg(long, value_name = "FILE")]
        save: Option<PathBuf>,
    },
}

#[derive(clap::Args)]
struct FilterArgs {
    /// Queues or functions, such as ProcessPaymentDeadLetters or process-payment. The default is all.
    queues: Vec<String>,
    /// Only messages of this kind (exhausted, reject, poison, none), or with this text in their reason.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Only messages that failed at least this long ago, such as 90s, 15m, 2h, 3d.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    older_than: Option<SignedDuration>,
    /// Only messages that failed at most this long ago.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    newer_than: Option<SignedDuration>,
    /// Only messages about this order.
    #[arg(long, value_name = "ID")]
    order: Option<String>,
    /// Only the message with this id.
    #[arg(long, value_name = "ID")]
    message_id: Option<String>,
}

#[derive(clap::Args)]
struct ExecutionArgs {
    /// Execute the command, instead of only showing what it would do.
    #[arg(long)]
    yes: bool,
    /// The maximum number of messages per second.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
}

impl FilterArgs {
    fn filter(&self) -> MessageFilter {
        let filter = MessageFilter {
            message_id: self.message_id.clone(),
            order_id: self.order.clone(),
            reason: self.reason.clone(),
            ..MessageFilter::default()
        };
        filter.with_age(self.older_than, self.newer_than, crate::duration::now())
    }

    fn queues(&self, stack: &Stack) -> anyhow::Result<Vec<DeadLetterQueue>> {
        if self.queues.is_empty() {
            return DeadLetterQueue::all(stack);
        }
        self.queues.iter().map(|name| DeadLetterQueue::find(stack, name)).collect()
    }
}

pub(crate) fn run(stack: &str, args: &Args) -> anyhow::Result<()> {
    let stack = Stack::open(stack)?;
    signals::catch()?;
    match &args.command {
        Command::List(filter) => list(&stack, filter),
        Command::Show { filter, limit } => show(&stack, filter, *limit),
        Command::Redrive { filter, execution } => {
            let act = |queue: &DeadLetterQueue, target: &Target, message: &DeadLetterMessage| {
                queue.redrive_message(&stack, target, message)
            };
            process(&stack, filter, execution, "redrive", "redriven", act)
        }
        Command::Discard { filter, execution, save } => {
            if !execution.yes {
                let keep = |_: &DeadLetterQueue, _: &Target, _: &DeadLetterMessage| Ok(Disposition::Keep);
                return process(&stack, filter, execution, "discard", "discarded", keep);
            }
            let mut file = BackupFile::open(save.as_deref(), crate::duration::now())?;
            ui::note(&format!(
                "discarded messages are saved to {}",
                crate::instance::display_path(file.path())
            ));
            process(&stack, filter, execution, "discard", "discarded", |queue, _, message| {
                file.append(&queue.name, message, crate::duration::now())?;
                Ok(Disposition::Delete)
            })
        }
    }
}

fn list(stack: &Stack, args: &FilterArgs) -> anyhow::Result<()> {
    let filter = args.filter();
    for queue in args.queues(stack)? {
        let count = queue.count(stack)?;
        if count == 0 {
            anstream::println!("{DIM}{count:>6}  {}{DIM:#}", queue.name);
            continue;
        }
        let messages = queue.peek(stack, &filter)?;
        let read = u64::try_from(messages.len())?;
        let count = if filter.matches_all() { count.max(read) } else { read };
        anstream::println!("{RED}{count:>6}{RED:#}  {BOLD}{}{BOLD:#}", queue.name);
        let mut reasons: BTreeMap<(String, String), (u64, Option<Timestamp>)> = BTreeMap::new();
        for message in &messages {
            let entry = reasons.entry((message.kind().to_owned(), message.reason())).or_default();
            entry.0 = entry.0.saturating_add(1);
            entry.1 = [entry.1, message.failed_at()].into_iter().flatten().min();
        }
        for ((kind, reason), (count, oldest)) in reasons {
            let since = oldest.map_or_else(|| "?".to_owned(), ago);
            let line = format!("{count:>6}  {kind}, oldest {since}: ");
            let left = WIDTH.saturating_sub(line.chars().count() + 2);
            anstream::println!("  {DIM}{line}{DIM:#}{}", truncate(&reason, left));
        }
        print_in_flight(&messages, &filter, count);
    }
    Ok(())
}

/// Prints how many messages could not be read because they are in flight.
fn print_in_flight(messages: &[DeadLetterMessage], filter: &MessageFilter, count: u64) {
    let read = u64::try_from(messages.len()).unwrap_or(u64::MAX);
    if filter.matches_all() && count > read {
        anstream::println!(
            "  {YELLOW}{:>6}  in flight elsewhere: look again in {VISIBILITY_TIMEOUT_SECONDS} s{YELLOW:#}",
            count - read
        );
    }
}

fn show(stack: &Stack, args: &FilterArgs, limit: usize) -> anyhow::Result<()> {
    let (filter, tables) = (args.filter(), Tables::new(stack)?);
    let mut all = 0_usize;
    for queue in args.queues(stack)? {
        if queue.count(stack)? == 0 {
            continue;
        }
        let messages = queue.peek(stack, &filter)?;
        if messages.is_empty() {
            continue;
        }
        let target = queue.target(stack)?;
        ui::heading(&format!("{} · {}", queue.name, message_count(messages.len())));
        for message in messages.iter().take(limit) {
            print_reason(message);
            print_advice(&tables, &queue, &target, message);
            print_body(message);
            anstream::println!();
        }
        if messages.len() > limit {
            ui::note(&format!("{} more: --limit {}", messages.len() - limit, messages.len()));
        }
        all = all.saturating_add(messages.len());
    }
    ui::success(&message_count(all));
    Ok(())
}

/// Applies `act` to the selected messages, or shows what it would do.
fn process(
    stack: &Stack,
    args: &FilterArgs,
    execution: &ExecutionArgs,
    verb: &str,
    participle: &str,
    mut act: impl FnMut(&DeadLetterQueue, &Target, &DeadLetterMessage) -> anyhow::Result<Disposition>,
) -> anyhow::Result<()> {
    let (filter, tables) = (args.filter(), Tables::new(stack)?);
    let (mut total, mut shown, mut pointers) = (0_usize, 0_usize, 0_usize);
    let mut limiter = RateLimiter::new(execution.rate);
    for queue in args.queues(stack)? {
        if queue.count(stack)? == 0 {
            continue;
        }
        let target = queue.target(stack)?;
        let mut has_heading = false;
        let result = queue.sweep(stack, &filter, &mut |message| {
            if !std::mem::replace(&mut has_heading, true) {
                ui::heading(&queue.name);
            }
            if execution.yes {
                limiter.wait()?;
                let disposition = act(&queue, &target, message)?;
                print_line(message);
                if disposition == Disposition::Keep {
                    print_advice(&tables, &queue, &target, message);
                }
                return Ok(disposition);
            }
            signals::check()?;
            // The advice is shown for the first messages only, because it reads the tables.
            shown = shown.saturating_add(1);
            print_line(message);
            if shown <= 20 && verb == "redrive" {
                print_advice(&tables, &queue, &target, message);
            }
            // A stream pointer cannot be redriven.
            pointers += usize::from(verb == "redrive" && message.is_stream_pointer());
            Ok(Disposition::Keep)
        });
        let count = report_queue(stack, &queue, result, execution.yes, verb, participle)?;
        total = total.saturating_add(count);
    }
    total = total.saturating_sub(pointers);
    if execution.yes {
        ui::success(&format!("{} {participle}", message_count(total)));
    } else if total == 0 {
        ui::success("no messages match");
    } else {
        anstream::println!();
        ui::note(&format!("nothing was changed. To {verb} {}, add --yes", message_count(total)));
    }
    Ok(())
}

/// Reports the result for one queue. Returns the number of messages processed.
fn report_queue(
    stack: &Stack,
    queue: &DeadLetterQueue,
    result: SweepResult,
    execute: bool,
    verb: &str,
    participle: &str,
) -> anyhow::Result<usize> {
    if let Some(error) = result.error {
        if !execute {
            return Err(error);
        }
        return Err(error.context(format!(
            "{} of {} {participle}; the others are still in the queue. To continue, run the same command again",
            message_count(result.deleted.len()),
            queue.name
        )));
    }
    if result.arrived > 0 {
        ui::note(&format!(
            "{} arrived during the command and were not processed",
            message_count(usize::try_from(result.arrived)?)
        ));
    }
    let kept = usize::try_from(result.kept)?;
    if !execute {
        return Ok(kept);
    }
    if kept > 0 {
        ui::note(&format!("{} cannot be {participle} and stay in the queue", message_count(kept)));
    }
    let remaining = queue.count(stack)?;
    if remaining > 0 {
        ui::note(&format!(
            "{remaining} remain in {}. Messages in flight, for example of a command that was killed, become visible \
             within {VISIBILITY_TIMEOUT_SECONDS} s; then run the command again to {verb} them",
            queue.name
        ));
    }
    Ok(result.deleted.len())
}

/// Limits the rate of operations.
struct RateLimiter {
    interval: Duration,
    next: Option<Instant>,
}

impl RateLimiter {
    fn new(per_second: u32) -> Self {
        Self { interval: Duration::from_secs(1) / per_second.max(1), next: None }
    }

    /// Waits until the next operation is allowed; fails when the user interrupts the command.
    fn wait(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        let turn = self.next.unwrap_or(now).max(now);
        self.next = turn.checked_add(self.interval);
        signals::sleep(turn.saturating_duration_since(now))
    }
}

fn message_count(count: usize) -> String {
    if count == 1 { "1 message".to_owned() } else { format!("{count} messages") }
}

fn ago(at: Timestamp) -> String {
    format!("{} ago", duration::format(crate::duration::now().duration_since(at)))
}

/// Prints the id, kind, age, order and reason of a message.
fn print_line(message: &DeadLetterMessage) {
    let about =
        advice::order_of(message).map_or_else(|| "no order".to_owned(), |order| format!("order {order}"));
    let since = message.failed_at().map(ago).unwrap_or_default();
    anstream::println!("  {CYAN}{}{CYAN:#}  {YELLOW}{}{YELLOW:#} {since}", message.id, message.kind());
    anstream::println!("    {DIM}{about}{DIM:#}");
    anstream::println!("    {}", truncate(&message.reason(), WIDTH - 4));
}

/// Prints the destination of a redrive, and what the function would do.
fn print_advice(tables: &Tables<'_>, queue: &DeadLetterQueue, target: &Target, message: &DeadLetterMessage) {
    let advice = advice::describe(tables, queue, message);
    let text = if message.is_stream_pointer() { advice } else { format!("to {target}: {advice}") };
    for (number, line) in wrap(&text, WIDTH - 6).iter().enumerate() {
        let sign = if number == 0 { "→" } else { " " };
        anstream::println!("    {BOLD}{sign}{BOLD:#} {line}");
    }
}

/// Wraps a text at word boundaries into lines of at most `width` characters.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Prints why a message is in the queue.
pub(crate) fn print_reason(message: &DeadLetterMessage) {
    anstream::println!("  {BOLD}{}{BOLD:#}", message.id);
    for line in wrap(&message.reason(), WIDTH - 2) {
        anstream::println!("  {RED}{line}{RED:#}");
    }
    for (name, value) in message.attributes.iter().filter(|(name, _)| *name != "error") {
        anstream::println!("  {YELLOW}{name:>14}{YELLOW:#}  {value}");
    }
}

/// Prints the event in a message, or its body.
fn print_body(message: &DeadLetterMessage) {
    let body = message.event().and_then(|event| serde_json::to_string_pretty(&event).ok());
    for line in body.as_deref().unwrap_or(&message.body).lines() {
        anstream::println!("  {DIM}│ {line}{DIM:#}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("aVeryLongWord b", 4), ["aVeryLongWord", "b"], "words are not broken");
        assert!(wrap("", 4).is_empty());
    }

    #[test]
    fn the_rate_limiter_delays_all_but_the_first() {
        let mut limiter = RateLimiter::new(50);
        let started = Instant::now();
        for _ in 0..5 {
            limiter.wait().unwrap();
        }
        assert!(started.elapsed() >= Duration::from_millis(80), "{:?}", started.elapsed());
    }
}
