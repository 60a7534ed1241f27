//! `cargo xtask audit`

use std::path::PathBuf;

use jiff::SignedDuration;

use crate::audit::{self, Demand};
use crate::stack::Stack;
use crate::{signals, ui};

/// Check what must hold of every order of a stack: read all tables, the queues and the payment provider.
///
/// Nobody is charged twice, nothing is oversold, nothing hangs, the services agree: docs/CORRECTNESS.md. It only reads.
/// On AWS it needs to scan the tables, read the queues' attributes and the secret with the provider's key. Exits with 1
/// if something does not hold, and tells the story of each order that is concerned.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Demand that everything is at rest: all orders final, all queues empty, every customer told. For a stack that
    /// takes no orders, and whose orders are younger than the records of its mails (60 days).
    #[arg(long)]
    settled: bool,
    /// How long an order may be open, in minutes. The default is a quarter of an hour more than the 30 minutes after
    /// which the template gives an order up.
    #[arg(long, value_name = "MINUTES", default_value_t = 45, conflicts_with = "settled")]
    patience: u32,
    /// Also write what was found to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) fn run(stack: &str, args: &Args) -> anyhow::Result<()> {
    signals::catch()?;
    let stack = Stack::open(stack)?;
    let patience = SignedDuration::from_mins(args.patience.into());
    let report = audit::run(&stack, if args.settled { Demand::Settled } else { Demand::Running(patience) })?;
    report.print();
    if let Some(file) = &args.json {
        std::fs::write(file, format!("{:#}\n", report.json()))?;
    }
    if report.is_clean() {
        ui::success("everything holds");
        return Ok(());
    }
    report.print_violations(&stack);
    anyhow::bail!("{} violations, see above", report.violations.len())
}
