//! `dlq`

mod print;
mod read;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Subcommand;
use jiff::SignedDuration;
use terminal::{signals, ui};

use print::{message_count, print_advice, print_line};

use super::OutputArgs;
use crate::audit::Tables;
use crate::queues::{
    BackupFile, DeadLetterMessage, DeadLetterQueue, Destination, Disposition, MessageFilter, SweepResult,
    VISIBILITY_TIMEOUT_SECONDS,
};
use crate::{Exit, Stack, Target, duration};

pub use print::print_reason;

/// Inspect, redrive or discard messages in dead-letter queues.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the dead-letter queues with their numbers of messages, and the reasons.
    List {
        #[command(flatten)]
        filter: FilterArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Show messages with their reasons, and what redriving them would do. Leaves them in the queue.
    Show {
        #[command(flatten)]
        filter: FilterArgs,
        /// The maximum number of messages per queue.
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
        #[command(flatten)]
        output: OutputArgs,
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
        /// default is a new file in the program's folder, whose path is printed.
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
        filter.with_age(self.older_than, self.newer_than, duration::now())
    }

    fn queues(&self, stack: &Stack) -> anyhow::Result<Vec<DeadLetterQueue>> {
        if self.queues.is_empty() {
            return DeadLetterQueue::all(stack);
        }
        self.queues.iter().map(|name| DeadLetterQueue::find(stack, name)).collect()
    }
}

pub(super) fn run(target: Target, args: &Args) -> anyhow::Result<Exit> {
    let stack = Stack::open(target)?;
    signals::catch()?;
    match &args.command {
        Command::List { filter, output } => read::list(&stack, filter, output.json),
        Command::Show { filter, limit, output } => read::show(&stack, filter, *limit, output.json),
        Command::Redrive { filter, execution } => {
            process(&stack, filter, execution, "redrive", "redriven", |queue, target, message| {
                queue.redrive_message(&stack, target, message)
            })
        }
        Command::Discard { filter, execution, save } => {
            if !execution.yes {
                return process(&stack, filter, execution, "discard", "discarded", |_, _, _| {
                    Ok(Disposition::Keep)
                });
            }
            let folder = stack.target.files.join("dead-letters");
            let mut file = BackupFile::open(save.as_deref(), &folder, duration::now())?;
            ui::note(&format!("discarded messages are saved to {}", file.path().display()));
            process(&stack, filter, execution, "discard", "discarded", |queue, _, message| {
                file.append(&queue.name, message, duration::now())?;
                Ok(Disposition::Delete)
            })
        }
    }
}

/// Applies `act` to the selected messages, or shows what it would do.
fn process(
    stack: &Stack,
    args: &FilterArgs,
    execution: &ExecutionArgs,
    verb: &str,
    participle: &str,
    mut act: impl FnMut(&DeadLetterQueue, &Destination, &DeadLetterMessage) -> anyhow::Result<Disposition>,
) -> anyhow::Result<Exit> {
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
    Ok(Exit::Success)
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

#[cfg(test)]
mod tests {
    use super::*;

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
