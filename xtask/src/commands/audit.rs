//! `cargo xtask audit`

use std::path::PathBuf;

use anyhow::Context as _;
use jiff::SignedDuration;

use crate::audit::{self, Promises};
use crate::stack::Stack;
use crate::{duration, signals, ui};

/// Check every invariant on all that a stack has written down: orders, stock, payments, the payment provider,
/// mails, queues. It only reads.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Nothing may be on its way: every order is final, every queue empty.
    #[arg(long)]
    settled: bool,
    /// How long anything may take before it counts as hanging, such as 45m. The default is the time after which
    /// orders are given up, and a quarter of an hour.
    #[arg(long, value_name = "TIME", conflicts_with = "settled", value_parser = duration::parse)]
    patience: Option<SignedDuration>,
    /// Do not ask the payment provider, where its key is not at hand: take what the payments' records say.
    #[arg(long)]
    no_provider: bool,
    /// Also write the report to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) fn run(stack: &str, args: &Args) -> anyhow::Result<()> {
    let stack = Stack::open(stack)?;
    signals::catch()?;
    let promises =
        if args.settled { Promises::Settled } else { Promises::Running { patience: args.patience } };
    let report = if args.no_provider {
        audit::run_without_provider(&stack, promises)?
    } else {
        audit::run(&stack, promises)?
    };
    audit::print(&stack, &report)?;
    if let Some(file) = &args.json {
        std::fs::write(file, format!("{:#}\n", audit::json(&report)))
            .with_context(|| format!("cannot write {}", file.display()))?;
        ui::note(&format!("the report is in {}", file.display()));
    }
    anyhow::ensure!(report.holds(), "{} violations", report.violations.len());
    Ok(())
}
