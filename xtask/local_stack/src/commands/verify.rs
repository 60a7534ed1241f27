//! `verify`: the command of `shopctl`, with the end-to-end tests of this checkout

use shopctl::commands::verify::{self, Args};
use shopctl::{Exit, Target};
use xtask::paths::repo_root;
use xtask::process::cargo;

pub(crate) fn run(target: Target, args: &Args) -> anyhow::Result<Exit> {
    let mut tests = cargo();
    // Not `--package end_to_end`: cargo would select other features for that package alone.
    tests.args(["test", "--workspace", "--test", "stack", "--"]).env("E2E_REPO_ROOT", repo_root());
    verify::run(target, args, Some(tests))
}
