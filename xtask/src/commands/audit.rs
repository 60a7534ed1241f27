//! `cargo xtask audit`

use std::path::PathBuf;

use anyhow::Context as _;
use jiff::SignedDuration;

use crate::audit::{self, AuditMode};
use crate::stack::Stack;
use crate::{duration, signals, ui};

/// Check every invariant on all data of a stack: orders, stock, payments, the payment provider, emails,
/// queues. Read-only.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also require that no work is pending: every order is final, every queue empty.
    #[arg(long)]
    settled: bool,
    /// How long an order may make no progress, such as 45m. The default is the time after which orders
    /// expire, plus 15 minutes.
    #[arg(long, value_name = "TIME", conflicts_with = "settled", value_parser = duration::parse)]
    patience: Option<SignedDuration>,
    /// Do not query the payment provider, if its key is unavailable: rely on the payments' records.
    #[arg(long)]
    no_provider: bool,
    /// Also write the report to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) fn run(stack: &str, args: &Args) -> anyhow::Result<()> {
    let stack = Stack::open(stack)?;
    signals::catch()?;
    let mode = if args.settled { AuditMode::Settled } else { AuditMode::Running { patience: args.patience } };
    let report =
        if args.no_provider { audit::run_without_provider(&stack, mode)? } else { audit::run(&stack, mode)? };
    audit::print(&stack, &report)?;
    if let Some(file) = &args.json {
        std::fs::write(file, format!("{:#}\n", audit::json(&report)))
            .with_context(|| format!("cannot write {}", file.display()))?;
        ui::note(&format!("report written to {}", file.display()));
    }
    anyhow::ensure!(report.holds(), "the audit found {} violations", report.violations.len());
    Ok(())
}
