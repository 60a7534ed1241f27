//! `cargo xtask alarms`: generates `docs/ALARMS.md`.

use std::io::Write;
use std::path::{Path, PathBuf};

use alarms::dashboard::dashboards;
use alarms::document::{Report, path, report};
use alarms::faults::{FAULT_MINUTES, HEALTHY_MINUTES, cases};
use alarms::picture::page;
use anyhow::{Context, Result};
use architecture::template::Template;
use clap::Parser;

/// Generate docs/ALARMS.md: run the functions in the simulation with each planted fault, and evaluate the alarms of
/// template.yaml over the metrics of the runs. Takes one to two minutes.
#[derive(Parser)]
#[command(name = "alarms")]
struct Args {
    /// Also draw the dashboards of each run, as HTML pages in this folder.
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
    let path = path();
    std::fs::write(&path, report.document())?;
    writeln!(std::io::stdout(), "wrote {}", path.display())?;
    Ok(())
}

fn write_pictures(report: &Report, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let dashboards = dashboards(&Template::of_repository()?)?;
    for (number, (case, _, data)) in report.faulty.iter().enumerate() {
        let begin = data.begins_at();
        let minute = |count: u32| begin + 60 * i64::from(count);
        for dashboard in &dashboards {
            let page = page(
                dashboard,
                data,
                minute(30),
                minute(HEALTHY_MINUTES + FAULT_MINUTES),
                minute(HEALTHY_MINUTES),
            );
            let path = folder.join(format!("{}-{number:02}.html", dashboard.id));
            std::fs::write(&path, page).with_context(|| path.display().to_string())?;
            writeln!(std::io::stdout(), "wrote {}: {}", path.display(), case.name)?;
        }
    }
    Ok(())
}
