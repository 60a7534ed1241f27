//! `timeline`

use jiff::SignedDuration;
use terminal::ui;

use super::{OutputArgs, print_json};
use crate::logs::Reader;
use crate::timeline::{self, History, placed_at};
use crate::trace::Traces;
use crate::{Exit, Stack, Target};

/// Show the history of an order: which function handled which event, when, on which attempt, and with what
/// outcome.
#[derive(clap::Args)]
pub struct Args {
    /// The id of the order.
    order: String,
    /// Also show requests that read the order.
    #[arg(long)]
    reads: bool,
    /// Also show the spans of its traces, as `trace` does: how long each call took.
    #[arg(long)]
    spans: bool,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(target: Target, args: &Args) -> anyhow::Result<Exit> {
    let stack = Stack::open(target)?;
    // For the id of an order from another system, all logs are searched.
    let since = placed_at(&args.order).and_then(|at| at.checked_sub(SignedDuration::from_secs(60)).ok());
    let logs = Reader::open(&stack)?;
    let mut handled = logs.for_order(&args.order, since)?;
    handled.retain(|handled| args.reads || !handled.trigger.starts_with("GET "));
    let order = stack.shop()?.order(&args.order).ok();
    let mails = stack.mailbox().map(|mailbox| mailbox.for_order(&args.order, None));
    let mut history =
        History::new(&args.order, order.as_ref(), handled, mails.transpose()?.unwrap_or_default());
    if args.spans {
        history.spans = Some(Traces::of_order(&logs, &args.order, since)?.spans);
    }
    if args.output.json {
        print_json(&history)?;
    } else {
        print(&stack, &history);
        if let Some(spans) = &history.spans {
            super::trace::print(&stack, &args.order, spans);
        }
    }
    Ok(Exit::from_check(!history.entries.is_empty()))
}

fn print(stack: &Stack, history: &History) {
    let Some(first) = history.entries.first() else {
        return ui::note(&format!(
            "the logs of {} contain nothing about order {}. Is the id complete?",
            stack.name(),
            history.order_id
        ));
    };
    let start = history.placed_at.unwrap_or(first.at);
    ui::heading(&format!("Order {} · placed {start}", history.order_id));
    timeline::print_header();
    let mut mails = history.mails.iter().peekable();
    for handled in &history.entries {
        while let Some(mail) = mails.next_if(|mail| mail.sent() < handled.at) {
            timeline::print_mail(mail, start);
        }
        timeline::print_handled(handled, start);
    }
    mails.for_each(|mail| timeline::print_mail(mail, start));
    match &history.status {
        Some(status) => ui::success(&format!("the order is {status}")),
        None => ui::note("the order service does not have this order: another system published it"),
    }
}
