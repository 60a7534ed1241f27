//! `cargo xtask chaos`

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::ValueEnum as _;
use shopctl::api;
use terminal::{signals, ui};
use xtask::paths::{display_path, repo_root};

use crate::chaos::{self, ChaosConfig, InjectedViolation};

/// The default file of the report, relative to the root of the repository.
const REPORT: &str = "docs/CHAOS.md";

/// Place orders on a local stack while functions are killed, AWS and the payment provider fail, and old
/// messages are redelivered; then check that the result is correct.
///
/// Starts a dedicated local stack on ports 4595 to 4599, and always stops it. The same seed gives the same
/// plan; the exact timing depends on the machine.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The number of orders.
    #[arg(long, default_value = "300", value_name = "COUNT")]
    orders: NonZeroUsize,
    /// The seed of the plan; random by default.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Multiplies the number of faults: 0 means none, 2 twice as many.
    #[arg(long, default_value = "1", value_name = "FACTOR")]
    fault_rate: f64,
    /// Where to write the report. The default is docs/CHAOS.md; with --inject, no report is written.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Inject a violation before the checks, which must then fail.
    #[arg(long, value_enum, value_name = "VIOLATION")]
    inject: Option<InjectedViolation>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    signals::catch()?;
    anyhow::ensure!(
        args.fault_rate.is_finite() && (0.0..=10.0).contains(&args.fault_rate),
        "--fault-rate must be between 0 and 10"
    );
    let seed = args.seed.map_or_else(|| api::random().map(|seed| seed % 1_000_000), Ok)?;
    let mut command = format!("cargo xtask chaos --orders {} --seed {seed}", args.orders);
    if args.fault_rate.to_bits() != 1.0_f64.to_bits() {
        command = format!("{command} --fault-rate {}", args.fault_rate);
    }
    if let Some(violation) = args.inject.and_then(|violation| violation.to_possible_value()) {
        command = format!("{command} --inject {}", violation.get_name());
    }
    let config = ChaosConfig {
        orders: args.orders.get(),
        seed,
        fault_rate: args.fault_rate,
        inject: args.inject,
        command: command.clone(),
    };
    let outcome = chaos::run(&config)
        .with_context(|| format!("the run did not finish. To repeat it with the same plan: {command}"))?;
    anstream::println!("\n{}", outcome.report);
    let default = args.inject.is_none().then(|| repo_root().join(REPORT));
    if let Some(file) = args.report.clone().or(default) {
        std::fs::write(&file, &outcome.report)
            .with_context(|| format!("cannot write {}", display_path(&file)))?;
        ui::success(&format!("report written to {}", display_path(&file)));
    }
    if !outcome.violations.is_empty() {
        let list: Vec<String> = outcome.violations.iter().map(|violation| format!("  {violation}")).collect();
        bail!("{} violations:\n{}\nTo repeat the same plan: {command}", list.len(), list.join("\n"));
    }
    ui::success("no order was lost, charged twice, oversold or left unfinished");
    Ok(())
}
