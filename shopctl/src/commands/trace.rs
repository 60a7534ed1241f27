//! `trace`

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use jiff::SignedDuration;
use terminal::ui;

use super::{OutputArgs, print_json};
use crate::logs::Reader;
use crate::timeline::placed_at;
use crate::trace::{Span, Traces, Waterfall};
use crate::{Exit, Stack, Target};

/// Show the traces of an order: which call and which event caused what, how long each took, and how long events
/// waited in between.
#[derive(clap::Args)]
pub struct Args {
    /// The id of the order.
    order: String,
    /// Also write the traces to this file, as OTLP/JSON, which viewers of traces open.
    #[arg(long, value_name = "FILE")]
    otlp: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(target: Target, args: &Args) -> anyhow::Result<Exit> {
    let stack = Stack::open(target)?;
    // For the id of an order from another system, all logs are searched.
    let since = placed_at(&args.order).and_then(|at| at.checked_sub(SignedDuration::from_secs(60)).ok());
    let traces = Traces::of_order(&Reader::open(&stack)?, &args.order, since)?;
    if let Some(path) = &args.otlp {
        let document = serde_json::to_string(&traces.to_otlp())?;
        fs::write(path, document).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if args.output.json {
        print_json(&traces.spans)?;
    } else {
        print(&stack, &args.order, &traces.spans);
    }
    Ok(Exit::from_check(!traces.spans.is_empty()))
}

/// Prints the waterfall of each trace.
pub(super) fn print(stack: &Stack, order: &str, spans: &[Span]) {
    if spans.is_empty() {
        return ui::note(&format!(
            "the logs of {} contain no span about order {order}. Is the id complete, and the parameter TraceExport `log`? \
             With `xray`, the traces are in the console of CloudWatch.",
            stack.name(),
        ));
    }
    Waterfall::of_each_trace(spans).iter().for_each(Waterfall::print);
}
