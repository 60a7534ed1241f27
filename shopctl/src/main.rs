//! `shopctl`: the operator's command line for a stack on AWS.

use std::path::PathBuf;
use std::process::{Command as Process, ExitCode};

use anyhow::Context as _;
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use shopctl::commands::verify;
use shopctl::{EXIT_CODES, Target};

/// Operate a deployed stack: diagnose and redrive failed messages, audit, follow orders, verify.
///
/// Uses your AWS credentials: environment variables, or the profile in AWS_PROFILE.
#[derive(Parser)]
#[command(version, after_help = EXIT_CODES)]
struct Cli {
    /// The name of the CloudFormation stack.
    #[arg(long, global = true, env = "SHOPCTL_STACK", value_name = "NAME")]
    stack: Option<String>,
    /// The AWS region of the stack. The default is that of the environment or the profile.
    #[arg(long, global = true, value_name = "REGION")]
    region: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    Stack(shopctl::Command),
    Verify(VerifyArgs),
    /// Print the completions of a shell: `source <(shopctl completions bash)`.
    Completions {
        shell: Shell,
    },
}

#[derive(clap::Args)]
struct VerifyArgs {
    #[command(flatten)]
    args: verify::Args,
    /// The program with the end-to-end tests, built from the version that is deployed:
    /// `cargo test --workspace --test stack --no-run` prints its path.
    #[arg(long, value_name = "PROGRAM", required_unless_present_any = ["no_tests", "clean"])]
    tests: Option<PathBuf>,
    /// Run no end-to-end tests: only compare the permissions with the template, and audit. Changes nothing.
    #[arg(long, conflicts_with = "tests")]
    no_tests: bool,
}

fn main() -> ExitCode {
    if let Err(error) = terminal::signals::end_with_reader() {
        return shopctl::exit_code(Err(error));
    }
    let Cli { stack, region, command } = Cli::parse();
    let run = |on_stack: &dyn Fn(Target) -> anyhow::Result<shopctl::Exit>| {
        let Some(stack) = stack else {
            let missing = "--stack NAME is missing; SHOPCTL_STACK sets it for all commands";
            Cli::command().error(ErrorKind::MissingRequiredArgument, missing).exit()
        };
        shopctl::exit_code(state_dir().and_then(|files| on_stack(Target::on_aws(stack, region, files))))
    };
    match command {
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "shopctl", &mut std::io::stdout());
            ExitCode::SUCCESS
        }
        Command::Stack(command) => run(&|target| command.run(target)),
        Command::Verify(VerifyArgs { args, tests, .. }) => {
            run(&|target| verify::run(target, &args, tests.as_ref().map(Process::new)))
        }
    }
}

/// The folder of files that commands write, such as discarded messages
/// (<https://specifications.freedesktop.org/basedir-spec/latest/>).
fn state_dir() -> anyhow::Result<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|state| state.is_absolute());
    let state = state.or_else(|| Some(std::env::home_dir()?.join(".local/state")));
    Ok(state.context("there is no home folder: set HOME or XDG_STATE_HOME")?.join("shopctl"))
}
