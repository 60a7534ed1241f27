//! `cargo xtask dlq`

use clap::Subcommand;

use crate::queues::{DeadLetter, DeadLetterQueue, Which};
use crate::stack::Stack;
use crate::ui::{self, BOLD, DIM, RED, YELLOW};

/// Look at the messages that could not be handled, and send them back.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say how many messages each dead-letter queue holds.
    List,
    /// Show messages with the reason why they are there, and leave them there.
    Show {
        /// The queue, or the function that it belongs to: ProcessPaymentDeadLetters, process-payment.
        queue: String,
        #[command(flatten)]
        which: WhichArgs,
    },
    /// Send messages back to the queue that they came from. Repair the cause first.
    Redrive {
        /// The queue, or the function that it belongs to: ProcessPaymentDeadLetters, process-payment.
        queue: String,
        #[command(flatten)]
        which: WhichArgs,
    },
}

#[derive(clap::Args)]
struct WhichArgs {
    /// Only the message of this id.
    #[arg(long, value_name = "ID")]
    message_id: Option<String>,
    /// Only messages about this order.
    #[arg(long, value_name = "ID")]
    order: Option<String>,
}

impl From<&WhichArgs> for Which {
    fn from(args: &WhichArgs) -> Self {
        Self { message_id: args.message_id.clone(), order_id: args.order.clone() }
    }
}

pub(crate) fn run(stack: &str, args: &Args) -> anyhow::Result<()> {
    let stack = Stack::open(stack)?;
    match &args.command {
        Command::List => list(&stack),
        Command::Show { queue, which } => {
            let queue = DeadLetterQueue::named(&stack, queue)?;
            let letters = queue.peek(&stack, &which.into())?;
            for letter in &letters {
                print_reason(letter);
                print_body(letter);
            }
            ui::success(&format!("{} messages in {}", letters.len(), queue.name));
            Ok(())
        }
        Command::Redrive { queue, which } => {
            let queue = DeadLetterQueue::named(&stack, queue)?;
            let moved = queue.redrive(&stack, &which.into())?;
            for letter in &moved {
                anstream::println!("  {} {DIM}{}{DIM:#}", letter.id, letter.order_id().unwrap_or_default());
            }
            ui::success(&format!("{} messages sent back from {}", moved.len(), queue.name));
            Ok(())
        }
    }
}

fn list(stack: &Stack) -> anyhow::Result<()> {
    for queue in DeadLetterQueue::all(stack)? {
        let count = queue.count(stack)?;
        let style = if count > 0 { RED } else { DIM };
        anstream::println!("{style}{count:>6}{style:#}  {}", queue.name);
    }
    Ok(())
}

/// Prints why a message is there.
pub(crate) fn print_reason(letter: &DeadLetter) {
    anstream::println!("  {BOLD}{}{BOLD:#}", letter.id);
    anstream::println!("  {RED}{}{RED:#}", letter.reason());
    for (name, value) in letter.attributes.iter().filter(|(name, _)| *name != "error") {
        anstream::println!("  {YELLOW}{name:>14}{YELLOW:#}  {value}");
    }
}

/// Prints what a message says.
fn print_body(letter: &DeadLetter) {
    let body = letter.event().and_then(|event| serde_json::to_string_pretty(&event).ok());
    for line in body.as_deref().unwrap_or(&letter.body).lines() {
        anstream::println!("  {DIM}│ {line}{DIM:#}");
    }
}
