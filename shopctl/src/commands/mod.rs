//! One module per command.

pub mod audit;
pub mod dlq;
pub mod env;
pub mod order;
pub mod remove;
pub mod search;
pub mod timeline;
pub mod trace;
pub mod verify;

use clap::Subcommand;
use serde::Serialize;

use crate::{Exit, Target};

/// The commands that work on any deployed stack in the same way. [`verify`] needs the end-to-end tests as well.
#[derive(Subcommand)]
#[expect(missing_docs, reason = "the arguments say it")]
pub enum Command {
    Order(order::Args),
    Timeline(timeline::Args),
    Trace(trace::Args),
    Dlq(dlq::Args),
    Audit(audit::Args),
    Search(search::Args),
    Env(env::Args),
    Remove(remove::Args),
}

impl Command {
    /// Runs the command on a stack.
    ///
    /// # Errors
    /// When it could not be done: the stack cannot be accessed, or a request failed.
    pub fn run(&self, target: Target) -> anyhow::Result<Exit> {
        match self {
            Self::Order(args) => order::run(target, args),
            Self::Timeline(args) => timeline::run(target, args),
            Self::Trace(args) => trace::run(target, args),
            Self::Dlq(args) => dlq::run(target, args),
            Self::Audit(args) => audit::run(target, args),
            Self::Search(args) => search::run(target, args),
            Self::Env(args) => env::run(target, args),
            Self::Remove(args) => remove::run(target, args),
        }
    }
}

/// The form of the output.
#[derive(clap::Args)]
pub struct OutputArgs {
    /// Print one JSON document to standard output, and nothing else. docs/SHOPCTL.md describes its fields.
    #[arg(long)]
    pub json: bool,
}

/// Prints a JSON document.
fn print_json(document: &impl Serialize) -> anyhow::Result<()> {
    anstream::println!("{}", serde_json::to_string_pretty(document)?);
    Ok(())
}
