//! `cargo xtask chaos`

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::ValueEnum as _;

use crate::chaos::{self, Plant, Wishes};
use crate::instance::{repo_root, shown};
use crate::{api, signals, ui};

/// The report, from the root of the repository, unless another file is named.
const REPORT: &str = "docs/CHAOS.md";

/// Shake a running stack and judge what is left: orders go through its front door while functions are killed, AWS and
/// the payment provider fail, and old messages come again.
///
/// It starts a local stack of its own, on ports 4596 to 4599, and stops it again whatever happens. The same seed
/// makes the same plan; when each thing really happens depends on the machine.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many orders.
    #[arg(long, default_value = "300", value_name = "COUNT")]
    orders: NonZeroUsize,
    /// What the plan is worked out of; a random one if none is given.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Multiplies how many faults there are: 0 is none, 2 twice as many.
    #[arg(long, default_value = "1", value_name = "FACTOR")]
    fault_rate: f64,
    /// Where to write the report; docs/CHAOS.md if nothing is planted.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Break something on purpose before the judgement, which must then fail.
    #[arg(long, value_enum)]
    plant: Option<Plant>,
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
    if let Some(plant) = args.plant.and_then(|plant| plant.to_possible_value()) {
        command = format!("{command} --plant {}", plant.get_name());
    }
    let wishes = Wishes {
        orders: args.orders.get(),
        seed,
        fault_rate: args.fault_rate,
        plant: args.plant,
        command: command.clone(),
    };
    let outcome = chaos::run(&wishes)
        .with_context(|| format!("the run was not finished. The same plan again: {command}"))?;
    anstream::println!("\n{}", outcome.report);
    let usual = args.plant.is_none().then(|| repo_root().join(REPORT));
    if let Some(file) = args.report.clone().or(usual) {
        std::fs::write(&file, &outcome.report).with_context(|| format!("cannot write {}", shown(&file)))?;
        ui::success(&format!("report written to {}", shown(&file)));
    }
    if !outcome.violations.is_empty() {
        let list: Vec<String> = outcome.violations.iter().map(|violation| format!("  {violation}")).collect();
        bail!("{} violations:\n{}\nThe same plan again: {command}", list.len(), list.join("\n"));
    }
    ui::success("nothing was lost, charged twice, oversold or left hanging");
    Ok(())
}
