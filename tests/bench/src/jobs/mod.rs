//! Jobs whose work grows with what they are given: what they take for it, and how much memory.
//!
//! Each runs in a process of its own, so that its memory can be told from that of others. Those that do the same are
//! one [`Contest`]: they take turns, so that a busy moment of the machine meets all of them.

mod child;
mod export;
mod import;
mod invoice;
mod pictures;
mod search;
mod services;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::statistics::{decimal, hundredths, median, megabytes, milliseconds};
use child::{Run, run};

/// What is measured, as a section of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    /// Its heading.
    pub(crate) title: &'static str,
    /// What was done, and what with.
    pub(crate) about: String,
    /// The names of the columns; the first is text, the others are figures.
    pub(crate) columns: Vec<&'static str>,
    /// As many cells in each.
    pub(crate) rows: Vec<Vec<String>>,
}

impl Section {
    /// As Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text =
            format!("## {}\n\n{}\n\n| {} |\n|---", self.title, self.about, self.columns.join(" | "));
        text.push_str(&"|--:".repeat(self.columns.len().saturating_sub(1)));
        text.push_str("|\n");
        for row in &self.rows {
            // Writing to a string does not fail.
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
        text
    }
}

/// One who takes part in a contest.
#[derive(Debug, Clone)]
pub(crate) struct Contestant {
    /// What it is called.
    pub(crate) name: String,
    /// The program.
    pub(crate) program: PathBuf,
    /// What it is told.
    pub(crate) arguments: Vec<String>,
    /// How much it has to do.
    pub(crate) work: u64,
}

impl Contestant {
    /// This program, with a job of its own to do ([`crate::Command::Job`]).
    pub(crate) fn of_ours(name: String, work: u64, job: &str, arguments: &[&str]) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program does not know where it is")?;
        let arguments = ["job", job].iter().chain(arguments).map(|text| (*text).to_owned()).collect();
        Ok(Self { name, program, arguments, work })
    }
}

/// Several that do the same work.
#[derive(Debug)]
pub(crate) struct Contest {
    /// The heading of its section.
    pub(crate) title: &'static str,
    /// What was done, and what with.
    pub(crate) about: String,
    /// The unit in which the rate is told, such as `rows`.
    pub(crate) unit: &'static str,
    /// How many of what `work` counts make one unit: 1,000,000 where it counts bytes and the unit is MB.
    pub(crate) per_unit: u64,
    /// Who takes part.
    pub(crate) contestants: Vec<Contestant>,
}

impl Contest {
    /// Has each do the work so many times, in turns.
    pub(crate) fn hold(&self, rounds: usize) -> anyhow::Result<Section> {
        let mut runs: Vec<Vec<Run>> = vec![Vec::new(); self.contestants.len()];
        for _ in 0..rounds {
            for (contestant, runs) in self.contestants.iter().zip(&mut runs) {
                let done = run(&contestant.program, &contestant.arguments);
                runs.push(done.with_context(|| format!("{}: {}", self.title, contestant.name))?);
            }
        }
        let rows = self.contestants.iter().zip(&runs).map(|(contestant, runs)| self.row(contestant, runs));
        Ok(Section {
            title: self.title,
            about: self.about.clone(),
            columns: vec!["who", "ms (least–most)", "rate", "peak MB"],
            rows: rows.collect(),
        })
    }

    fn row(&self, contestant: &Contestant, runs: &[Run]) -> Vec<String> {
        let times = || runs.iter().map(|run| run.took);
        let middle = median(times());
        let peak = runs.iter().map(|run| run.peak_kib).max().unwrap_or_default();
        vec![
            contestant.name.clone(),
            format!(
                "{} ({}–{})",
                milliseconds(middle),
                milliseconds(times().min().unwrap_or_default()),
                milliseconds(times().max().unwrap_or_default())
            ),
            format!("{} {}/s", rate(contestant.work, self.per_unit, middle), self.unit),
            megabytes(peak * 1024),
        ]
    }
}

/// Units a second: whole ones where there are many, else with two digits.
fn rate(work: u64, per_unit: u64, took: Duration) -> String {
    let per_second = u128::from(work) * 1_000_000_000;
    let hundredth = hundredths(per_second, took.as_nanos() * u128::from(per_unit));
    if hundredth >= 100_000 { (hundredth / 100).to_string() } else { decimal(hundredth) }
}

/// The report.
pub(crate) fn report(sections: &[Section], setting: &str, rounds: usize) -> String {
    let mut text =
        "# Jobs\n\nWhat takes longer the more there is: pictures, rows, orders, lines.\n\n".to_owned();
    for section in sections {
        text.push_str(&section.markdown());
        text.push('\n');
    }
    let _ = write!(
        text,
        "## How it was measured\n\n{setting}\nFunctions are the release binaries, called over the Lambda Runtime API. \
Where there are several in one table, each run is a process of its own, from its start to its end, and they took turns, {rounds} \
rounds; the time is the median, with the least and the most. **peak** is the most memory that a process took (`VmHWM`), shared \
libraries included, in millions of bytes.\n\n```sh\ncargo xtask bench --only-jobs --job-rounds {rounds}\n```\n"
    );
    text
}

/// A program on the `PATH`.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// What can be measured, by its name on the command line.
const JOBS: [&str; 5] = [pictures::JOB, import::JOB, export::JOB, invoice::JOB, search::JOB];

/// Those of these names; all, if none is named.
pub(crate) fn jobs(names: &[String]) -> anyhow::Result<Vec<&'static str>> {
    if let Some(unknown) = names.iter().find(|name| !JOBS.contains(&name.as_str())) {
        bail!("there is no job {unknown}. There are: {}", JOBS.join(", "));
    }
    let wanted = |job: &&str| names.is_empty() || names.iter().any(|name| name == job);
    Ok(JOBS.into_iter().filter(wanted).collect())
}

/// Measures one: what is done is done so many times. `binaries` is where the functions are.
pub(crate) async fn measure(job: &str, binaries: &Path, rounds: usize) -> anyhow::Result<Section> {
    match job {
        pictures::JOB => pictures::measure(rounds),
        import::JOB => import::measure(&binaries.join("import-stock")).await,
        export::JOB => export::measure(&binaries.join("export-orders")).await,
        invoice::JOB => invoice::measure(&binaries.join("render-invoice"), rounds).await,
        search::JOB => search::measure(&binaries.join("search-orders")).await,
        _ => bail!("there is no job {job}"),
    }
}

/// Does one job in this process.
pub(crate) async fn work(name: &str, arguments: &[String]) -> anyhow::Result<()> {
    match name {
        pictures::JOB => pictures::work(arguments),
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
    fn a_contest_tells_who_took_how_long_and_how_much() {
        let shell = |name: &str, script: &str| Contestant {
            name: name.to_owned(),
            program: "/bin/sh".into(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            work: 10,
        };
        let contest = Contest {
            title: "Sleep",
            about: "A nap.".to_owned(),
            unit: "naps",
            per_unit: 1,
            contestants: vec![shell("short", "sleep 0.05"), shell("long", "sleep 0.2")],
        };
        let section = contest.hold(3).unwrap();
        let names: Vec<&str> = section.rows.iter().map(|row| row[0].as_str()).collect();
        assert_eq!(names, ["short", "long"]);
        let middle = |row: &Vec<String>| row[1].split(' ').next().unwrap().parse::<f64>().unwrap();
        assert!(middle(&section.rows[0]) >= 50.0 && middle(&section.rows[1]) >= 200.0, "{section:?}");
        assert!(section.rows.iter().all(|row| row[3] != "0.00"), "{section:?}");
        assert!(section.markdown().starts_with(
            "## Sleep\n\nA nap.\n\n| who | ms (least–most) | rate | peak MB |\n|---|--:|--:|--:|\n| short | "
        ));
    }

    #[test]
    fn one_who_fails_ends_the_contest_with_its_last_words() {
        let arguments = ["-c".to_owned(), "echo it is broken >&2; exit 3".to_owned()];
        let error = run(Path::new("/bin/sh"), &arguments).unwrap_err().to_string();
        assert!(error.contains("it is broken"), "{error}");
    }
}
