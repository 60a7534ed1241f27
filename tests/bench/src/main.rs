//! Measures cold start, latency, memory and size of each function, and jobs whose work grows with their input.
//! `cargo xtask bench` builds the functions and runs this program. It is a separate program because it must be built
//! with optimizations: otherwise it would measure itself.
//!
//! | module | content |
//! |---|---|
//! | [`bench`] | the functions and their environment: the library of this package |
//! | [`tls`] | certificates of the services |
//! | [`measure`] | the measurement of functions |
//! | [`instructions`] | the instructions of functions, for comparing builds |
//! | [`jobs`] | the measurement of work that grows with its input |
//! | [`statistics`], [`report`] | the evaluation of the measurements |

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod instructions;
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
use measure::{Bench, Measurements};

/// Measures functions and jobs. Called by `cargo xtask bench`.
#[derive(Parser)]
enum Command {
    /// Measures cold start, latency, memory and size of each function.
    Functions(FunctionsArgs),
    /// Measures work that grows with its input.
    Jobs(JobsArgs),
    /// Counts the instructions of functions with valgrind, in one build or in two of them.
    Instructions(InstructionsArgs),
    /// Runs one job in this process, which another process measures.
    #[command(hide = true)]
    Job {
        /// The name of the job.
        name: String,
        /// The arguments of the job.
        arguments: Vec<String>,
    },
}

#[derive(clap::Args)]
struct JobsArgs {
    /// The folder with the binaries of the functions.
    #[arg(long)]
    binaries: PathBuf,
    /// The jobs to measure, separated by commas; all by default.
    #[arg(long, value_delimiter = ',')]
    jobs: Vec<String>,
    /// The number of measurements of each job.
    #[arg(long)]
    rounds: usize,
    /// The file to write the report to.
    #[arg(long)]
    out: PathBuf,
}

#[derive(clap::Args)]
struct InstructionsArgs {
    /// The folder with the binaries.
    #[arg(long)]
    binaries: PathBuf,
    /// The folder with the binaries of another build, to compare with.
    #[arg(long)]
    baseline: Option<PathBuf>,
    /// The functions to measure, separated by commas; all by default.
    #[arg(long, value_delimiter = ',')]
    functions: Vec<String>,
    /// The number of invocations of each function.
    #[arg(long)]
    calls: usize,
    #[command(flatten)]
    variables: VariablesArgs,
}

#[derive(clap::Args)]
struct VariablesArgs {
    /// An environment variable of the functions, instead of the template's value. May be repeated.
    #[arg(long = "variable", value_name = "NAME=VALUE", value_parser = parse_variable)]
    variables: Vec<(String, String)>,
}

fn parse_variable(text: &str) -> anyhow::Result<(String, String)> {
    let (name, value) = text.split_once('=').context("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl VariablesArgs {
    /// The functions with these names, with the variables.
    fn functions(&self, names: &[String]) -> anyhow::Result<Vec<Function>> {
        let mut functions = Function::of_repository(names)?;
        for function in &mut functions {
            function.variables.extend(self.variables.iter().cloned());
        }
        Ok(functions)
    }
}

#[derive(clap::Args)]
struct FunctionsArgs {
    /// The folder with the binaries.
    #[arg(long)]
    binaries: PathBuf,
    /// The functions to measure, separated by commas; all by default.
    #[arg(long, value_delimiter = ',')]
    functions: Vec<String>,
    /// The number of cold starts of each function. An additional first one does not count.
    #[arg(long)]
    rounds: usize,
    /// The number of warm invocations of each function.
    #[arg(long)]
    warm: usize,
    /// Use plain HTTP instead of TLS.
    #[arg(long)]
    http: bool,
    #[command(flatten)]
    variables: VariablesArgs,
    /// The file to write the report to.
    #[arg(long)]
    out: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::Functions(args) => measure_functions(args).await,
        Command::Jobs(args) => measure_jobs(&args).await,
        Command::Instructions(args) => count_instructions(&args).await,
        Command::Job { name, arguments } => jobs::run_in_process(&name, &arguments).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn measure_jobs(args: &JobsArgs) -> anyhow::Result<()> {
    ensure!(cfg!(target_os = "linux"), "the benchmark runs only on Linux, because it reads /proc");
    ensure!(args.rounds > 0, "--rounds must be at least 1");
    let mut sections = Vec::new();
    for job in jobs::jobs(&args.jobs)? {
        print_line(&format!("{job} …"));
        let section = jobs::measure(job, &args.binaries, args.rounds).await?;
        print_line(&section.markdown());
        sections.push(section);
    }
    let text = jobs::report(&sections, &report::environment(root()), args.rounds);
    std::fs::write(&args.out, text).with_context(|| format!("cannot write {}", args.out.display()))
}

async fn measure_functions(args: FunctionsArgs) -> anyhow::Result<()> {
    ensure!(cfg!(target_os = "linux"), "the benchmark runs only on Linux, because it reads /proc");
    ensure!(args.rounds > 0 && args.warm > 0, "--rounds and --warm must be at least 1");
    let mut functions = args.variables.functions(&args.functions)?;
    functions.insert(0, Function::floor());
    let bench = Bench { binaries: args.binaries, rounds: args.rounds, warm: args.warm, http: args.http };
    let measured = bench.run(&functions, root()).await?;
    let text = report::report(&bench, &functions, &measured, root());
    std::fs::write(&args.out, &text).with_context(|| format!("cannot write {}", args.out.display()))?;
    // Only the tables: the rest is in the file.
    for line in text.lines().filter(|line| line.starts_with('|')) {
        print_line(line);
    }
    if measured.first().is_some_and(Measurements::is_unstable) {
        print_line(
            "! The times of the floor vary by half or more: the machine was busy. Repeat the measurement on an idle machine.",
        );
    }
    Ok(())
}

async fn count_instructions(args: &InstructionsArgs) -> anyhow::Result<()> {
    instructions::check()?;
    print_line("| function | file MB | instructions M | file × baseline | instructions × baseline |");
    print_line("|---|--:|--:|--:|--:|");
    for function in args.variables.functions(&args.functions)? {
        let measured = instructions::Build::measure(&args.binaries, &function, args.calls).await?;
        let baseline = match &args.baseline {
            Some(baseline) => Some(instructions::Build::measure(baseline, &function, args.calls).await?),
            None => None,
        };
        print_line(&measured.line(&function.name, baseline));
    }
    Ok(())
}

/// Prints a line to the terminal.
fn print_line(text: &str) {
    println!("{text}");
}
