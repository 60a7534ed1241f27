//! `cargo xtask alarms`: generates `docs/ALARMS.md` and its pictures.

use std::io::Write;
use std::path::{Path, PathBuf};

use alarms::document::{Report, report};
use alarms::faults::{FAULT_MINUTES, HEALTHY_MINUTES, cases};
use anyhow::{Context, Result};
use clap::Parser;

/// Generate docs/ALARMS.md and its pictures: run the functions in the simulation with each planted fault, and evaluate the alarms of
/// template.yaml over the metrics of the runs. Takes one to two minutes.
#[derive(Parser)]
#[command(name = "alarms")]
struct Args {
    /// Also draw the dashboards of each run, as SVG in this folder.
    #[arg(long, value_name = "FOLDER")]
    pictures: Option<PathBuf>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let (runs, minutes) = (cases().len() + 1, HEALTHY_MINUTES + FAULT_MINUTES);
    writeln!(std::io::stderr(), "simulating {runs} runs of {minutes} minutes each …")?;
    let report = report()?;
    if let Some(folder) = &args.pictures {
        write_pictures(&report, folder)?;
    }
    for (path, text) in report.files() {
        write(&path, &text)?;
    }
    Ok(())
}

fn write_pictures(report: &Report, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    for (number, (case, _, data)) in report.faulty.iter().enumerate() {
        writeln!(std::io::stdout(), "{}:", case.name)?;
        for (name, svg) in report.pictures(data) {
            write(&folder.join(format!("{name}-{number:02}.svg")), &svg)?;
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(writeln!(std::io::stdout(), "wrote {}", path.display())?)
}
