//! Jobs whose work grows with their input: their duration and their memory.
//!
//! Each job runs in its own process, so that its memory can be measured separately. Programs that do the same work are
//! compared in a [`Comparison`]: their runs are interleaved, so that other load on the machine affects all of them.

mod child;
mod export;
mod images;
mod import;
mod invoice;
mod search;
mod services;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::statistics::{decimal, hundredths, median, megabytes, milliseconds};
use child::{Run, run};

/// The result of a measurement: a section of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    /// The heading of its table.
    pub(crate) title: &'static str,
    /// A description of the measured work.
    pub(crate) description: String,
    /// The names of the columns. The first column is text, the others are numbers.
    pub(crate) columns: Vec<&'static str>,
    /// The rows, with one cell for each column.
    pub(crate) rows: Vec<Vec<String>>,
}

impl Section {
    /// The section in Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text =
            format!("## {}\n\n{}\n\n| {} |\n|---", self.title, self.description, self.columns.join(" | "));
        text.push_str(&"|--:".repeat(self.columns.len().saturating_sub(1)));
        text.push_str("|\n");
        for row in &self.rows {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
        text
    }
}

/// A program in a comparison.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    /// Its name in the report.
    pub(crate) name: String,
    /// The executable to measure.
    pub(crate) program: PathBuf,
    /// Its command-line arguments.
    pub(crate) arguments: Vec<String>,
    /// The amount of work.
    pub(crate) work: u64,
}

impl Candidate {
    /// A candidate that runs a job of this program ([`crate::Command::Job`]).
    pub(crate) fn for_job(name: String, work: u64, job: &str, arguments: &[&str]) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find the executable of this program")?;
        let arguments = ["job", job].iter().chain(arguments).map(|text| (*text).to_owned()).collect();
        Ok(Self { name, program, arguments, work })
    }
}

/// A comparison of programs that do the same work.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// The heading of its section.
    pub(crate) title: &'static str,
    /// A description of the measured work.
    pub(crate) description: String,
    /// The unit of the rate, such as `rows`.
    pub(crate) unit: &'static str,
    /// The amount of `work` in one unit: 1,000,000 if `work` is in bytes and the unit is MB.
    pub(crate) per_unit: u64,
    /// The programs to compare.
    pub(crate) candidates: Vec<Candidate>,
}

impl Comparison {
    /// Runs each program `rounds` times, interleaved.
    pub(crate) fn run(&self, rounds: usize) -> anyhow::Result<Section> {
        let mut runs: Vec<Vec<Run>> = vec![Vec::new(); self.candidates.len()];
        for _ in 0..rounds {
            for (candidate, runs) in self.candidates.iter().zip(&mut runs) {
                let run = run(&candidate.program, &candidate.arguments);
                runs.push(run.with_context(|| format!("{}: {}", self.title, candidate.name))?);
            }
        }
        let rows = self.candidates.iter().zip(&runs).map(|(candidate, runs)| self.row(candidate, runs));
        Ok(Section {
            title: self.title,
            description: self.description.clone(),
            columns: vec!["program", "ms (min–max)", "rate", "peak MB"],
            rows: rows.collect(),
        })
    }

    fn row(&self, candidate: &Candidate, runs: &[Run]) -> Vec<String> {
        let durations = || runs.iter().map(|run| run.duration);
        let median = median(durations());
        let peak = runs.iter().map(|run| run.peak_kib).max().unwrap_or_default();
        vec![
            candidate.name.clone(),
            format!(
                "{} ({}–{})",
                milliseconds(median),
                milliseconds(durations().min().unwrap_or_default()),
                milliseconds(durations().max().unwrap_or_default())
            ),
            format!("{} {}/s", rate(candidate.work, self.per_unit, median), self.unit),
            megabytes(peak * 1024),
        ]
    }
}

/// Units per second: an integer from 1000 on, otherwise with two decimal places.
fn rate(work: u64, per_unit: u64, duration: Duration) -> String {
    let per_second = u128::from(work) * 1_000_000_000;
    let hundredth = hundredths(per_second, duration.as_nanos() * u128::from(per_unit));
    if hundredth >= 100_000 { (hundredth / 100).to_string() } else { decimal(hundredth) }
}

/// Writes the report on jobs.
pub(crate) fn report(sections: &[Section], environment: &str, rounds: usize) -> String {
    let mut text = "# Jobs\n\nWork that grows with its input: images, rows, orders, lines.\n\n".to_owned();
    for section in sections {
        text.push_str(&section.markdown());
        text.push('\n');
    }
    let _ = write!(
        text,
        "## Method\n\n{environment}\nFunctions are the release binaries, invoked over the Lambda Runtime API. If a table compares \
programs, each run is a separate process, measured from its start to its end, in {rounds} interleaved rounds; the time is the \
median, with minimum and maximum. **peak** is the peak resident memory of a process (`VmHWM`), including shared libraries, in \
millions of bytes.\n\n```sh\ncargo xtask bench --only-jobs --job-rounds {rounds}\n```\n"
    );
    text
}

/// Finds a program on the `PATH`.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The names of the jobs on the command line.
const JOBS: [&str; 5] = [images::JOB, import::JOB, export::JOB, invoice::JOB, search::JOB];

/// The jobs with these names; all jobs if `names` is empty.
///
/// # Errors
/// If a name is unknown.
pub(crate) fn jobs(names: &[String]) -> anyhow::Result<Vec<&'static str>> {
    if let Some(unknown) = names.iter().find(|name| !JOBS.contains(&name.as_str())) {
        bail!("there is no job {unknown}. There are: {}", JOBS.join(", "));
    }
    let wanted = |job: &&str| names.is_empty() || names.iter().any(|name| name == job);
    Ok(JOBS.into_iter().filter(wanted).collect())
}

/// Measures a job. Those with interleaved runs are run `rounds` times. `binaries` is the folder of the functions.
pub(crate) async fn measure(job: &str, binaries: &Path, rounds: usize) -> anyhow::Result<Section> {
    match job {
        images::JOB => images::measure(rounds),
        import::JOB => import::measure(&binaries.join("import-stock")).await,
        export::JOB => export::measure(&binaries.join("export-orders")).await,
        invoice::JOB => invoice::measure(&binaries.join("render-invoice"), rounds).await,
        search::JOB => search::measure(&binaries.join("search-orders")).await,
        _ => bail!("there is no job {job}"),
    }
}

/// Runs one job in this process.
pub(crate) async fn run_in_process(name: &str, arguments: &[String]) -> anyhow::Result<()> {
    match name {
        images::JOB => images::render(arguments),
        _ => bail!("there is no job {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_per_second() {
        assert_eq!(rate(1_000_000, 1, Duration::from_secs(4)), "250000");
        assert_eq!(rate(3_000_000, 1_000_000, Duration::from_millis(1500)), "2.00");
    }

    #[test]
    fn a_comparison_reports_duration_and_memory_of_each_program() {
        let shell = |name: &str, script: &str| Candidate {
            name: name.to_owned(),
            program: "/bin/sh".into(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            work: 10,
        };
        let comparison = Comparison {
            title: "Sleep",
            description: "A nap.".to_owned(),
            unit: "naps",
            per_unit: 1,
            candidates: vec![shell("short", "sleep 0.05"), shell("long", "sleep 0.2")],
        };
        let section = comparison.run(3).unwrap();
        let names: Vec<&str> = section.rows.iter().map(|row| row[0].as_str()).collect();
        assert_eq!(names, ["short", "long"]);
        let median = |row: &Vec<String>| row[1].split(' ').next().unwrap().parse::<f64>().unwrap();
        assert!(median(&section.rows[0]) >= 50.0 && median(&section.rows[1]) >= 200.0, "{section:?}");
        assert!(section.rows.iter().all(|row| row[3] != "0.00"), "{section:?}");
        assert!(section.markdown().starts_with(
            "## Sleep\n\nA nap.\n\n| program | ms (min–max) | rate | peak MB |\n|---|--:|--:|--:|\n| short | "
        ));
    }

    #[test]
    fn the_error_of_a_failed_program_contains_its_output() {
        let arguments = ["-c".to_owned(), "echo it is broken >&2; exit 3".to_owned()];
        let error = run(Path::new("/bin/sh"), &arguments).unwrap_err().to_string();
        assert!(error.contains("it is broken"), "{error}");
    }
}
