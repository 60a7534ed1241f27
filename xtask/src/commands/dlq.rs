//! `cargo xtask dlq`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};

use crate::audit::Tables;
use crate::queues::{DeadLetter, DeadLetterQueue, Fate, LEASE, Save, Swept, Target, Which, advice};
use crate::stack::Stack;
use crate::ui::{self, BOLD, CYAN, DIM, RED, YELLOW, cut};
use crate::{duration, signals};

/// Columns of a terminal that a line may fill.
const WIDTH: usize = 80;

/// Look at the messages that could not be handled, send them back, or throw them away.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say how many messages each dead-letter queue holds, and why.
    List(WhichArgs),
    /// Show messages with the reason why they are there and what sending them back would do. Leaves them there.
    Show {
        #[command(flatten)]
        which: WhichArgs,
        /// At most so many of each queue.
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
    },
    /// Send messages back to the queue that they came from. Repair the cause first. Says what it would do;
    /// does it with --yes.
    Redrive {
        #[command(flatten)]
        which: WhichArgs,
        #[command(flatten)]
        how: HowArgs,
    },
    /// Throw messages away, after writing them to a file. Says what it would do; does it with --yes.
    Discard {
        #[command(flatten)]
        which: WhichArgs,
        #[command(flatten)]
        how: HowArgs,
        /// Where to keep what is thrown away, one JSON object a line; goes on writing where the file exists. The
        /// default is a new file in .local/dead-letters.
        #[arg(long, value_name = "FILE")]
        save: Option<PathBuf>,
    },
}

#[derive(clap::Args)]
struct WhichArgs {
    /// The queues, or the functions that they belong to: ProcessPaymentDeadLetters, process-payment. All if none
    /// is named.
    queues: Vec<String>,
    /// Only those with this kind (exhausted, reject, poison, none) or with this text in their reason.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Only those that were given up at least so long ago, such as 90s, 15m, 2h, 3d.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    older_than: Option<SignedDuration>,
    /// Only those that were given up at most so long ago.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    newer_than: Option<SignedDuration>,
    /// Only messages about this order.
    #[arg(long, value_name = "ID")]
    order: Option<String>,
    /// Only the message of this id.
    #[arg(long, value_name = "ID")]
    message_id: Option<String>,
}

#[derive(clap::Args)]
struct HowArgs {
    /// Do it.
    #[arg(long)]
    yes: bool,
    /// So many messages a second at most.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
}

impl WhichArgs {
    fn which(&self) -> Which {
        let which = Which {
            message_id: self.message_id.clone(),
            order_id: self.order.clone(),
            reason: self.reason.clone(),
            ..Which::default()
        };
        which.aged(self.older_than, self.newer_than, crate::duration::now())
    }

    fn queues(&self, stack: &Stack) -> anyhow::Result<Vec<DeadLetterQueue>> {
        if self.queues.is_empty() {
            return DeadLetterQueue::all(stack);
        }
        self.queues.iter().map(|name| DeadLetterQueue::named(stack, name)).collect()
    }
}

pub(crate) fn run(stack: &str, args: &Args) -> anyhow::Result<()> {
    let stack = Stack::open(stack)?;
    signals::catch()?;
    match &args.command {
        Command::List(which) => list(&stack, which),
        Command::Show { which, limit } => show(&stack, which, *limit),
        Command::Redrive { which, how } => {
            let act = |queue: &DeadLetterQueue, target: &Target, letter: &DeadLetter| {
                queue.send_back(&stack, target, letter)
            };
            work(&stack, which, how, "send back", "sent back", act)
        }
        Command::Discard { which, how, save } => {
            if !how.yes {
                return work(&stack, which, how, "throw away", "thrown away", |_, _, _| Ok(Fate::Stay));
            }
            let mut file = Save::open(save.as_deref(), crate::duration::now())?;
            ui::note(&format!("what is thrown away is kept in {}", crate::instance::shown(file.path())));
            work(&stack, which, how, "throw away", "thrown away", |queue, _, letter| {
                file.put(&queue.name, letter, crate::duration::now())?;
                Ok(Fate::Remove)
            })
        }
    }
}

fn list(stack: &Stack, args: &WhichArgs) -> anyhow::Result<()> {
    let which = args.which();
    for queue in args.queues(stack)? {
        let count = queue.count(stack)?;
        if count == 0 {
            anstream::println!("{DIM}{count:>6}  {}{DIM:#}", queue.name);
            continue;
        }
        let letters = queue.peek(stack, &which)?;
        let shown = u64::try_from(letters.len())?;
        let count = if which.is_all() { count.max(shown) } else { shown };
        anstream::println!("{RED}{count:>6}{RED:#}  {BOLD}{}{BOLD:#}", queue.name);
        let mut reasons: BTreeMap<(String, String), (u64, Option<Timestamp>)> = BTreeMap::new();
        for letter in &letters {
            let entry = reasons.entry((letter.kind().to_owned(), letter.reason())).or_default();
            entry.0 = entry.0.saturating_add(1);
            entry.1 = [entry.1, letter.failed_at()].into_iter().flatten().min();
        }
        for ((kind, reason), (count, oldest)) in reasons {
            let since = oldest.map_or_else(|| "?".to_owned(), ago);
            let line = format!("{count:>6}  {kind}, oldest {since}: ");
            let left = WIDTH.saturating_sub(line.chars().count() + 2);
            anstream::println!("  {DIM}{line}{DIM:#}{}", cut(&reason, left));
        }
        tell_hidden(&letters, &which, count);
    }
    Ok(())
}

/// Says when more are there than could be looked at.
fn tell_hidden(letters: &[DeadLetter], which: &Which, count: u64) {
    let seen = u64::try_from(letters.len()).unwrap_or(u64::MAX);
    if which.is_all() && count > seen {
        anstream::println!(
            "  {YELLOW}{:>6}  in somebody else's hands: see again in {LEASE} s{YELLOW:#}",
            count - seen
        );
    }
}

fn show(stack: &Stack, args: &WhichArgs, limit: usize) -> anyhow::Result<()> {
    let (which, tables) = (args.which(), Tables::of(stack)?);
    let mut all = 0_usize;
    for queue in args.queues(stack)? {
        if queue.count(stack)? == 0 {
            continue;
        }
        let letters = queue.peek(stack, &which)?;
        if letters.is_empty() {
            continue;
        }
        let target = queue.target(stack)?;
        ui::heading(&format!("{} · {}", queue.name, messages(letters.len())));
        for letter in letters.iter().take(limit) {
            print_reason(letter);
            print_advice(&tables, &queue, &target, letter);
            print_body(letter);
            anstream::println!();
        }
        if letters.len() > limit {
            ui::note(&format!("{} more: --limit {}", letters.len() - limit, letters.len()));
        }
        all = all.saturating_add(letters.len());
    }
    ui::success(&messages(all));
    Ok(())
}

/// Does something with messages, or says what it would do.
fn work(
    stack: &Stack,
    args: &WhichArgs,
    how: &HowArgs,
    doing: &str,
    done: &str,
    mut act: impl FnMut(&DeadLetterQueue, &Target, &DeadLetter) -> anyhow::Result<Fate>,
) -> anyhow::Result<()> {
    let (which, tables) = (args.which(), Tables::of(stack)?);
    let (mut total, mut shown, mut pointers) = (0_usize, 0_usize, 0_usize);
    let mut pace = Pace::new(how.rate);
    for queue in args.queues(stack)? {
        if queue.count(stack)? == 0 {
            continue;
        }
        let target = queue.target(stack)?;
        let mut head = false;
        let swept = queue.sweep(stack, &which, &mut |letter| {
            if !std::mem::replace(&mut head, true) {
                ui::heading(&queue.name);
            }
            if how.yes {
                pace.wait()?;
                let fate = act(&queue, &target, letter)?;
                print_line(letter);
                if fate == Fate::Stay {
                    print_advice(&tables, &queue, &target, letter);
                }
                return Ok(fate);
            }
            signals::check()?;
            // What would become of each is looked up for the first few: it takes a read of the tables.
            shown = shown.saturating_add(1);
            print_line(letter);
            if shown <= 20 && doing == "send back" {
                print_advice(&tables, &queue, &target, letter);
            }
            // It holds nothing that could be sent.
            pointers += usize::from(doing == "send back" && letter.is_stream_pointer());
            Ok(Fate::Stay)
        });
        total = total.saturating_add(tell(stack, &queue, swept, how.yes, doing, done)?);
    }
    total = total.saturating_sub(pointers);
    if how.yes {
        ui::success(&format!("{} {done}", messages(total)));
    } else if total == 0 {
        ui::success("no such message");
    } else {
        anstream::println!();
        ui::note(&format!("nothing was done. To {doing} {}, add --yes", messages(total)));
    }
    Ok(())
}

/// Says what became of one queue, and how many messages that makes.
fn tell(
    stack: &Stack,
    queue: &DeadLetterQueue,
    swept: Swept,
    for_real: bool,
    doing: &str,
    done: &str,
) -> anyhow::Result<usize> {
    if let Some(error) = swept.stopped {
        if !for_real {
            return Err(error);
        }
        return Err(error.context(format!(
            "{} of {} {done}; the others are still there. The same command goes on with them",
            messages(swept.removed.len()),
            queue.name
        )));
    }
    if swept.newer > 0 {
        ui::note(&format!(
            "{} came in meanwhile and are left alone",
            messages(usize::try_from(swept.newer)?)
        ));
    }
    let stayed = usize::try_from(swept.stayed)?;
    if !for_real {
        return Ok(stayed);
    }
    if stayed > 0 {
        ui::note(&format!("{} cannot be {done} and stay", messages(stayed)));
    }
    let remain = queue.count(stack)?;
    if remain > 0 {
        ui::note(&format!(
            "{remain} remain in {}. Those that a killed command held come back within {LEASE} s: {doing} again",
            queue.name
        ));
    }
    Ok(swept.removed.len())
}

/// Keeps to a rate.
struct Pace {
    gap: Duration,
    next: Option<Instant>,
}

impl Pace {
    fn new(per_second: u32) -> Self {
        Self { gap: Duration::from_secs(1) / per_second.max(1), next: None }
    }

    /// Waits for the next turn; fails when the person asks for an end.
    fn wait(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        let turn = self.next.unwrap_or(now).max(now);
        self.next = turn.checked_add(self.gap);
        signals::sleep(turn.saturating_duration_since(now))
    }
}

fn messages(count: usize) -> String {
    if count == 1 { "1 message".to_owned() } else { format!("{count} messages") }
}

fn ago(at: Timestamp) -> String {
    format!("{} ago", duration::shown(crate::duration::now().duration_since(at)))
}

/// Prints a message in two lines.
fn print_line(letter: &DeadLetter) {
    let about =
        advice::order_of(letter).map_or_else(|| "no order".to_owned(), |order| format!("order {order}"));
    let since = letter.failed_at().map(ago).unwrap_or_default();
    anstream::println!("  {CYAN}{}{CYAN:#}  {YELLOW}{}{YELLOW:#} {since}", letter.id, letter.kind());
    anstream::println!("    {DIM}{about}{DIM:#}");
    anstream::println!("    {}", cut(&letter.reason(), WIDTH - 4));
}

/// Prints where a message would be sent, and what the function would do then.
fn print_advice(tables: &Tables<'_>, queue: &DeadLetterQueue, target: &Target, letter: &DeadLetter) {
    let advice = advice::of(tables, queue, letter);
    let text = if letter.is_stream_pointer() { advice } else { format!("to {target}: {advice}") };
    for (number, line) in wrap(&text, WIDTH - 6).iter().enumerate() {
        let sign = if number == 0 { "→" } else { " " };
        anstream::println!("    {BOLD}{sign}{BOLD:#} {line}");
    }
}

/// Breaks a text into lines of at most so many characters, between its words.
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

/// Prints why a message is there.
pub(crate) fn print_reason(letter: &DeadLetter) {
    anstream::println!("  {BOLD}{}{BOLD:#}", letter.id);
    for line in wrap(&letter.reason(), WIDTH - 2) {
        anstream::println!("  {RED}{line}{RED:#}");
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("aVeryLongWord b", 4), ["aVeryLongWord", "b"], "a word is never cut");
        assert!(wrap("", 4).is_empty());
    }

    #[test]
    fn a_pace_is_kept_from_the_second_on() {
        let mut pace = Pace::new(50);
        let started = Instant::now();
        for _ in 0..5 {
            pace.wait().unwrap();
        }
        assert!(started.elapsed() >= Duration::from_millis(80), "{:?}", started.elapsed());
    }
}
