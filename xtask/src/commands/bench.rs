//! `cargo xtask bench`

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::instance::{repo_root, shown};
use crate::process::cargo;
use crate::tools::Tools;
use crate::{release, signals, ui};

use super::test::visible;

/// Measure what each function costs to start, to call and to keep, beside a function that does nothing; and what jobs cost
/// whose work grows with what they are given, such as a picture or a million rows.
///
/// The functions are built first, as `sam build` does, which takes some twenty minutes on two cores the first time. Measure on a
/// machine that does nothing else.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these functions: names of binaries, with commas between them.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    functions: Vec<String>,
    /// How many cold starts of each function count.
    #[arg(long, default_value = "20", value_name = "COUNT")]
    rounds: NonZeroUsize,
    /// How many warm invocations of each function.
    #[arg(long, default_value = "500", value_name = "COUNT")]
    warm: NonZeroUsize,
    /// Measure no jobs.
    #[arg(long, conflicts_with = "only_jobs")]
    only_functions: bool,
    /// Measure no functions.
    #[arg(long)]
    only_jobs: bool,
    /// Only these jobs, with commas between them.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    jobs: Vec<String>,
    /// How many times each job is done.
    #[arg(long, default_value = "5", value_name = "COUNT")]
    job_rounds: NonZeroUsize,
    /// Leave TLS out, to see what it costs.
    #[arg(long)]
    http: bool,
    /// Where to write the report on functions, from the root of the repository.
    #[arg(long, default_value = "docs/BENCHMARKS.md", value_name = "FILE")]
    out: PathBuf,
    /// Where to write the report on jobs.
    #[arg(long, default_value = "docs/JOBS.md", value_name = "FILE")]
    jobs_out: PathBuf,
    /// Measure the binaries that the last run built.
    #[arg(long)]
    no_build: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    signals::catch()?;
    if !args.no_build {
        build()?;
    }
    let target = target_dir()?;
    let program = target.join("release").join("bench");
    if !program.exists() {
        bail!("nothing is built yet. Build it: cargo xtask bench");
    }
    let binaries = target.join("deployed");
    release::lay_out(&binaries).context("Build the functions: cargo xtask bench")?;
    if !args.only_jobs {
        functions(args, &program, &binaries)?;
    }
    if !args.only_functions {
        jobs(args, &program, &binaries)?;
    }
    Ok(())
}

fn jobs(args: &Args, program: &Path, binaries: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(program);
    command.current_dir(repo_root());
    command.args(["jobs", "--rounds", &args.job_rounds.to_string()]).arg("--binaries").arg(binaries);
    command.arg("--out").arg(&args.jobs_out);
    if !args.jobs.is_empty() {
        command.args(["--jobs", &args.jobs.join(",")]);
    }
    visible(&mut command)?;
    ui::success(&format!("report written to {}", shown(&args.jobs_out)));
    Ok(())
}

fn functions(args: &Args, program: &Path, binaries: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(program);
    command.current_dir(repo_root());
    command.args(["functions", "--rounds", &args.rounds.to_string(), "--warm", &args.warm.to_string()]);
    command.arg("--binaries").arg(binaries).arg("--out").arg(&args.out);
    if !args.functions.is_empty() {
        command.args(["--functions", &args.functions.join(",")]);
    }
    if args.http {
        command.arg("--http");
    }
    visible(&mut command)?;
    ui::success(&format!("report written to {}", shown(&args.out)));
    Ok(())
}

/// Builds what is measured, as it is deployed, and what measures it. The floor is built apart: what is built together gets the
/// features of the dependencies that any of it asks for.
fn build() -> anyhow::Result<()> {
    let tools = Tools::ensure()?;
    release::build(&tools)?;
    release::build_package(&tools, "floor")?;
    visible(cargo().args(["build", "--release", "--package", "bench"]))
}

/// Where cargo puts what it builds for this machine alone.
fn target_dir() -> anyhow::Result<PathBuf> {
    let output = cargo().args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("`cargo metadata` failed")?;
    let dir = metadata.get("target_directory").and_then(serde_json::Value::as_str);
    Ok(PathBuf::from(dir.context("`cargo metadata` names no target directory")?))
}
