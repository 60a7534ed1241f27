//! Writes `docs/ALARMS.md`; with `--pictures FOLDER`, also the dashboards of each run as HTML pages.

use std::io::Write;
use std::path::Path;

use alarms::dashboard::dashboards;
use alarms::document::{Report, path, report};
use alarms::faults::{FAULT_MINUTES, HEALTHY_MINUTES};
use alarms::picture::page;
use anyhow::{Context, Result};
use architecture::template::Template;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let report = report()?;
    match arguments.as_slice() {
        [] => {}
        [option, folder] if option == "--pictures" => write_pictures(&report, Path::new(folder))?,
        _ => anyhow::bail!("usage: alarms [--pictures FOLDER]"),
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
