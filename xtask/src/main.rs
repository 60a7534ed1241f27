//! `cargo xtask …`: the command line for developers and operators. One module per command.

use clap::{Parser, Subcommand};

mod api;
mod audit;
mod aws;
mod binaries;
mod buckets;
mod chaos;
mod commands;
mod container;
mod contract;
mod deploy;
mod duration;
mod emulator;
mod follow;
mod http;
mod instance;
mod logs;
mod mail;
mod names;
mod ports;
mod process;
mod products;
mod queues;
mod release;
mod scanner;
mod signals;
mod stack;
mod stand_in;
mod timeline;
mod token;
mod tools;
mod ui;
mod verify;
mod webhooks;

use commands::{
    audit as audit_command, bench, catalogue, chaos as chaos_command, demo, dlq, down, env, invoke, order,
    program, remove, search as search_command, status, test, timeline as timeline_command, up,
    verify as verify_command,
};

/// The command line for developers and operators: run the whole system on this machine, follow orders,
/// diagnose and redrive failed messages, test and audit.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    /// The CloudFormation stack for `order`, `timeline`, `dlq`, `audit`, `search`, `env`, `verify` and
    /// `remove`. The default is the stack on this machine; any other is on AWS, and accessed with your AWS
    /// credentials and region.
    #[arg(long, global = true, env = "XTASK_STACK", default_value = names::LOCAL_STACK, value_name = "NAME")]
    stack: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Up(up::Args),
    Down(down::Args),
    Status(status::Args),
    Env(env::Args),
    Invoke(invoke::Args),
    Demo(demo::Args),
    Order(order::Args),
    Timeline(timeline_command::Args),
    Dlq(dlq::Args),
    Audit(audit_command::Args),
    Search(search_command::Args),
    Test(test::Args),
    Verify(verify_command::Args),
    Remove(remove::Args),
    /// Run the functions in virtual time with faults at any call: thousands of seeds, or one seed with its
    /// trace.
    Simulate(program::Args),
    /// Explore the protocol with a model checker, or a variant with one protection switched off.
    Model(program::Args),
    Bench(bench::Args),
    Chaos(chaos_command::Args),
    Catalogue(catalogue::Args),
    /// Generate the API contract from the routes: docs/openapi.json, docs/API.md, the reference.
    Contract(program::Args),
    /// Generate template.yaml from the services' templates and the routes.
    Template(program::Args),
}

fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Up(args) => local_only(&cli.stack).and_then(|()| up::run(&args)),
        Command::Down(args) => local_only(&cli.stack).and_then(|()| down::run(&args)),
        Command::Status(args) => local_only(&cli.stack).and_then(|()| status::run(&args)),
        Command::Env(args) => env::run(&cli.stack, &args),
        Command::Invoke(args) => local_only(&cli.stack).and_then(|()| invoke::run(&args)),
        Command::Demo(args) => local_only(&cli.stack).and_then(|()| demo::run(&args)),
        Command::Order(args) => order::run(&cli.stack, &args),
        Command::Timeline(args) => timeline_command::run(&cli.stack, &args),
        Command::Audit(args) => audit_command::run(&cli.stack, &args),
        Command::Search(args) => search_command::run(&cli.stack, &args),
        Command::Dlq(args) => dlq::run(&cli.stack, &args),
        Command::Test(args) => test::run(&args),
        Command::Verify(args) => verify_command::run(&cli.stack, &args),
        Command::Remove(args) => remove::run(&cli.stack, &args),
        Command::Simulate(args) => program::run("simulate", &args),
        Command::Model(args) => program::run("model", &args),
        Command::Bench(args) => bench::run(&args),
        Command::Chaos(args) => chaos_command::run(&args),
        Command::Catalogue(args) => catalogue::run(&args),
        Command::Contract(args) => program::run("contract", &args),
        Command::Template(args) => program::run("template", &args),
    };
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            ui::failure(&format!("{error:#}"));
            std::process::ExitCode::FAILURE
        }
    }
}

/// Rejects `--stack` with a stack on AWS, for commands that support local stacks only.
fn local_only(stack: &str) -> anyhow::Result<()> {
    anyhow::ensure!(
        stack == names::LOCAL_STACK,
        "this command supports the local stack only: omit `--stack {stack}`.\n\
         To deploy to AWS: sam build && sam deploy --config-env staging"
    );
    Ok(())
}
