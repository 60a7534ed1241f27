//! `cargo xtask simulate`, `model` and `contract`: programs of `tests/`, some with options of their own.

use crate::process::cargo;
use crate::signals;

use super::test::visible;

/// What the program is given.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// Options of the program; `--help` shows them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    options: Vec<String>,
}

/// Builds and runs a program of this workspace. Not `--package`: cargo would choose other features for that package
/// alone, and compile all of its dependencies once more.
pub(crate) fn run(program: &str, args: &Args) -> anyhow::Result<()> {
    signals::catch()?;
    let mut command = cargo();
    // A backtrace in each of millions of errors that are wanted would take most of the time.
    command
        .args(["run", "--quiet", "--bin", program, "--"])
        .args(&args.options)
        .env("RUST_LIB_BACKTRACE", "0");
    visible(&mut command)
}
