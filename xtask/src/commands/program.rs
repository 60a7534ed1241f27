//! `cargo xtask simulate`, `model`, `contract` and `template`: other programs of this workspace, with their
//! own options.

use crate::process::cargo;
use crate::signals;

use super::test::run_visible;

/// The options of the program.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// Options of the program; `--help` shows them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    options: Vec<String>,
}

/// Builds and runs a program of this workspace. Not with `--package`: cargo would select other features for
/// that package alone, and compile all of its dependencies again.
pub(crate) fn run(program: &str, args: &Args) -> anyhow::Result<()> {
    signals::catch()?;
    let mut command = cargo();
    // The programs create millions of expected errors; capturing backtraces would take most of the time.
    command
        .args(["run", "--quiet", "--bin", program, "--"])
        .args(&args.options)
        .env("RUST_LIB_BACKTRACE", "0");
    run_visible(&mut command)
}
