//! Measures what each function costs to start, to call and to keep, and what jobs cost whose work grows. `cargo xtask
//! bench` builds what is measured and calls this; it is a program of its own because it has to be built with optimizations, or it would measure itself.
//!
//! | module | is |
//! |---|---|
//! | [`bench`] | what is measured, and what surrounds it: the library of this package |
//! | [`tls`] | certificates for the services |
//! | [`measure`] | what is done how often |
//! | [`jobs`] | what takes longer the more there is |
//! | [`statistics`], [`report`] | what is made of it |

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod jobs;
mod measure;
mod report;
mod statistics;
mod tls;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use architecture::workspace::root;
use clap::Parser;

use bench::functions::Function;
use measure::{Bench, Measured};

/// Measures functions and jobs. Called by `cargo xtask bench`.
#[derive(Parser)]
enum Command {
    /// What each function costs to start, to call and to keep.
    Functions(FunctionsArgs),
    /// What takes longer the more there is.
    Jobs(JobsArgs),
    /// Does one job, to be measured from outside.
    #[command(hide = true)]
    Job {
        /// Which.
        name: String,
        /// What it is told.
        arguments: Vec<String>,
    },
}

#[derive(clap::Args)]
struct JobsArgs {
    /// Where the binaries of the functions are.
    #[arg(long)]
    binaries: PathBuf,
    /// Only these.
    #[arg(long, value_delimiter = ',')]
    jobs: Vec<String>,
    /// How many times each is done.
    #[arg(long)]
    rounds: usize,
    /// Where to write the report.
    #[arg(long)]
    out: PathBuf,
}

#[derive(clap::Args)]
struct FunctionsArgs {
    /// Where the binaries are.
    #[arg(long)]
    binaries: PathBuf,
    /// Only these functions.
    #[arg(long, value_delimiter = ',')]
    functions: Vec<String>,
    /// How many cold starts of each function count.
    #[arg(long)]
    rounds: usize,
    /// How many warm invocations of each function.
    #[arg(long)]
    warm: usize,
    /// Leave TLS out.
    #[arg(long)]
    http: bool,
    /// Where to write the report.
    #[arg(long)]
    out: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Functions(args) => measure_functions(args).await,
        Command::Jobs(args) => measure_jobs(&args).await,
        Command::Job { name, arguments } => jobs::work(&name, &arguments).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn measure_jobs(args: &JobsArgs) -> anyhow::Result<()> {
    ensure!(cfg!(target_os = "linux"), "the benchmark reads /proc, and so runs on Linux only");
    ensure!(args.rounds > 0, "--rounds is at least 1");
    let mut sections = Vec::new();
    for job in jobs::jobs(&args.jobs)? {
        say(&format!("{job} …"));
        let section = jobs::measure(job, &args.binaries, args.rounds).await?;
        say(&section.markdown());
        sections.push(section);
    }
    let text = jobs::report(&sections, &report::setting(root()), args.rounds);
    std::fs::write(&args.out, text).with_context(|| format!("cannot write {}", args.out.display()))
}

async fn measure_functions(args: FunctionsArgs) -> anyhow::Result<()> {
    ensure!(cfg!(target_os = "linux"), "the benchmark reads /proc, and so runs on Linux only");
    ensure!(args.rounds > 0 && args.warm > 0, "--rounds and --warm are at least 1");
    let mut functions = Function::of_repository(&args.functions)?;
    functions.insert(0, Function::floor());
    let bench = Bench { binaries: args.binaries, rounds: args.rounds, warm: args.warm, http: args.http };
    let measured = bench.run(&functions, root()).await?;
    let text = report::report(&bench, &functions, &measured, root());
    std::fs::write(&args.out, &text).with_context(|| format!("cannot write {}", args.out.display()))?;
    // The tables alone: the rest is in the file.
    for line in text.lines().filter(|line| line.starts_with('|')) {
        say(line);
    }
    if measured.first().is_some_and(Measured::is_unsteady) {
        say("! The floor's own times differ by half: the machine was busy. Measure again when it is not.");
    }
    Ok(())
}

/// A line for the person.
fn say(text: &str) {
    println!("{text}");
}
