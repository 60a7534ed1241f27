//! `cargo xtask bench`

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use terminal::{signals, ui};
use xtask::paths::{display_path, repo_root};
use xtask::process::{cargo, run_visible};
use xtask::release;
use xtask::tools::Tools;
use xtask::workspace::target_dir;

/// Measure cold start, latency, memory and size of each function, with an empty function as the baseline; and
/// the duration and memory of jobs that grow with their input, such as images or a million rows.
///
/// First builds the functions as `sam build` does, which takes about 10 minutes on two cores the first time.
/// Run it on an otherwise idle machine.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these functions: binary names, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    functions: Vec<String>,
    /// The number of measured cold starts of each function.
    #[arg(long, default_value = "20", value_name = "COUNT")]
    rounds: NonZeroUsize,
    /// The number of warm invocations of each function.
    #[arg(long, default_value = "500", value_name = "COUNT")]
    warm: NonZeroUsize,
    /// Do not measure jobs.
    #[arg(long, conflicts_with = "only_jobs")]
    only_functions: bool,
    /// Do not measure functions.
    #[arg(long)]
    only_jobs: bool,
    /// Only these jobs, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    jobs: Vec<String>,
    /// The number of runs of each job.
    #[arg(long, default_value = "5", value_name = "COUNT")]
    job_rounds: NonZeroUsize,
    /// Use HTTP without TLS, to measure the cost of TLS.
    #[arg(long)]
    http: bool,
    /// Where to write the report on functions, relative to the root of the repository.
    #[arg(long, default_value = "docs/BENCHMARKS.md", value_name = "FILE")]
    out: PathBuf,
    /// Where to write the report on jobs, relative to the root of the repository.
    #[arg(long, default_value = "docs/JOBS.md", value_name = "FILE")]
    jobs_out: PathBuf,
    /// Measure the binaries of the last build.
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
        bail!("nothing has been built yet: run cargo xtask bench without --no-build");
    }
    let binaries = target.join("deployed");
    release::copy_binaries(&binaries).context("run cargo xtask bench without --no-build")?;
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
    run_visible(&mut command)?;
    ui::success(&format!("report written to {}", display_path(&args.jobs_out)));
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
    run_visible(&mut command)?;
    ui::success(&format!("report written to {}", display_path(&args.out)));
    Ok(())
}

/// Builds the functions as they are deployed, and the benchmark. The baseline is built separately: packages
/// that are built together share the features of their dependencies.
fn build() -> anyhow::Result<()> {
    let tools = Tools::ensure()?;
    release::build(&tools)?;
    release::build_package(&tools, "floor")?;
    run_visible(cargo().args(["build", "--release", "--package", "bench"]))
}
