//! `local-stack`: the commands of `cargo xtask` that start a stack on this machine, or work on any stack. The latter
//! are those of `shopctl`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use shopctl::{Exit, Target};
use terminal::ui;

mod binaries;
mod chaos;
mod commands;
mod container;
mod contract;
mod deploy;
mod emulator;
mod health;
mod instance;
mod ports;
mod products;
mod scanner;
mod service;
mod stand_in;
mod token;
mod webhooks;

use commands::{chaos as chaos_command, demo, down, end_to_end, invoke, mutants, status, up, verify};
use instance::{Instance, LOCAL_STACK};
use xtask::paths::local_dir;

/// Run the whole system on this machine, and operate this or any other stack.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    /// The CloudFormation stack for the commands that work on any. The default is the stack on this machine; any
    /// other is on AWS, and accessed with your AWS credentials and region.
    #[arg(long, global = true, env = "XTASK_STACK", default_value = LOCAL_STACK, value_name = "NAME")]
    stack: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Up(up::Args),
    Down(down::Args),
    Status(status::Args),
    Invoke(invoke::Args),
    Demo(demo::Args),
    Chaos(chaos_command::Args),
    #[command(hide = true)]
    Mutants(mutants::Args),
    #[command(hide = true)]
    EndToEnd(end_to_end::Args),
    Verify(shopctl::commands::verify::Args),
    #[command(flatten)]
    AnyStack(shopctl::Command),
}

fn main() -> ExitCode {
    let Cli { stack, command } = Cli::parse();
    let done = match command {
        Command::AnyStack(command) => return exit(target(&stack), |target| command.run(target)),
        Command::Verify(args) => return exit(target(&stack), |target| verify::run(target, &args)),
        Command::Chaos(args) => chaos_command::run(&args),
        Command::Mutants(args) => mutants::run(&args),
        Command::EndToEnd(args) => end_to_end::run(&args),
        Command::Up(args) => local_only(&stack).and_then(|()| up::run(&args)),
        Command::Down(args) => local_only(&stack).and_then(|()| down::run(&args)),
        Command::Status(args) => local_only(&stack).and_then(|()| status::run(&args)),
        Command::Invoke(args) => local_only(&stack).and_then(|()| invoke::run(&args)),
        Command::Demo(args) => local_only(&stack).and_then(|()| demo::run(&args)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ui::failure(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn exit(target: anyhow::Result<Target>, run: impl Fn(Target) -> anyhow::Result<Exit>) -> ExitCode {
    shopctl::exit_code(target.and_then(run))
}

/// The developer's stack, which must be running, or one on AWS.
fn target(stack: &str) -> anyhow::Result<Target> {
    if stack == LOCAL_STACK {
        return Ok(Instance::developer().open()?.target);
    }
    let program = format!("cargo xtask --stack {stack}");
    Ok(Target { program, ..Target::on_aws(stack.to_owned(), None, local_dir()) })
}

/// Rejects `--stack` with a stack on AWS, for commands that support local stacks only.
fn local_only(stack: &str) -> anyhow::Result<()> {
    anyhow::ensure!(
        stack == LOCAL_STACK,
        "this command supports the local stack only: omit `--stack {stack}`.\n\
         To deploy to AWS: sam build && sam deploy --config-env staging"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use xtask::programs::{FORWARDED, Program};

    use super::Cli;

    #[test]
    fn cargo_xtask_lists_each_command() {
        Cli::command().debug_assert();
        let cli = Cli::command();
        let mut commands: Vec<&str> = cli
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
            .map(|command| command.get_name())
            .collect();
        let listed = FORWARDED.iter().filter(|forwarded| forwarded.program == Program::LocalStack);
        let mut listed: Vec<&str> = listed.map(|forwarded| forwarded.name).collect();
        commands.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, commands);
    }
}
