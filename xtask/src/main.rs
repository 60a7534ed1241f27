//! `cargo xtask …`: everything a person does to this repository. One module per command.

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

/// Everything a person does to this repository: run the whole system on this machine, watch orders go
/// through it, find out why one is stuck, test it.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    /// The CloudFormation stack that `order`, `timeline`, `dlq`, `audit`, `search`, `env`, `verify` and `remove` are about.
    /// The default is the one on this machine; any other is on AWS, and is reached with your usual AWS credentials and
    /// region.
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
    /// Run the functions in virtual time with every fault at every call: thousands of seeds, or one with its story.
    Simulate(program::Args),
    /// Have a model checker explore the protocol, or a variant with a protection switched off.
    Model(program::Args),
    Bench(bench::Args),
    Chaos(chaos_command::Args),
    Catalogue(catalogue::Args),
    /// Write what is made from the routes: docs/openapi.json, docs/API.md, the reference.
    Contract(program::Args),
    /// Write template.yaml from the services' parts and the routes.
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

/// Refuses a command that starts, stops or breaks things when `--stack` names a stack on AWS.
fn local_only(stack: &str) -> anyhow::Result<()> {
    anyhow::ensure!(
        stack == names::LOCAL_STACK,
        "this command works on the local stack only; leave out `--stack {stack}`.\n\
         To deploy to AWS: sam build && sam deploy --config-env staging"
    );
    Ok(())
}
