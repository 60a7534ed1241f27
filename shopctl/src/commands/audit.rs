//! `audit`

use jiff::SignedDuration;
use terminal::signals;

use super::{OutputArgs, print_json};
use crate::audit::{self, AuditMode};
use crate::{Exit, Stack, Target, duration};

/// Check every invariant on all data of a stack: orders, stock, payments, the payment provider, emails,
/// queues. Read-only.
#[derive(clap::Args)]
pub struct Args {
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
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(target: Target, args: &Args) -> anyhow::Result<Exit> {
    let stack = Stack::open(target)?;
    signals::catch()?;
    let mode = if args.settled { AuditMode::Settled } else { AuditMode::Running { patience: args.patience } };
    let report =
        if args.no_provider { audit::run_without_provider(&stack, mode)? } else { audit::run(&stack, mode)? };
    if args.output.json {
        print_json(&audit::json(&report))?;
    } else {
        audit::print(&stack, &report);
    }
    Ok(Exit::from_check(report.holds()))
}
