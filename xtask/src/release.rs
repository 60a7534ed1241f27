//! The functions as they are deployed: built by the command that `sam build` builds them with, for this machine.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::instance::{repo_root, shown};
use crate::process;
use crate::tools::Tools;

/// This machine's architecture in the words of Lambda, which are also the folders in `build/`.
pub(crate) const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
/// The flag of `cargo lambda` for it.
const FLAG: &str = if cfg!(target_arch = "aarch64") { "--arm64" } else { "--x86-64" };

/// Builds all functions, which takes some twenty minutes the first time.
///
/// # Errors
/// When there is no `make`, or the build fails; cargo has said why.
pub(crate) fn build(tools: &Tools) -> anyhow::Result<()> {
    let mut make = tool("make", tools)?;
    make.args(["--makefile", &format!("build/{ARCHITECTURE}/Makefile"), "functions"]);
    let status = process::run(&mut make).context("`sam build` needs make as well: install it")?;
    ensure!(status.success(), "the functions could not be built, see above");
    Ok(())
}

/// Builds the binaries of another package in the same way, apart from the functions.
///
/// # Errors
/// When the build fails.
pub(crate) fn build_package(tools: &Tools, package: &str) -> anyhow::Result<()> {
    let mut cargo = tool("cargo", tools)?;
    cargo.args(["lambda", "build", "--release", FLAG, "--locked", "--bins", "--package", package]);
    cargo.arg("--lambda-dir").arg(lambda_dir());
    let status = process::run(&mut cargo)?;
    ensure!(status.success(), "{package} could not be built, see above");
    Ok(())
}

/// What was built, by the names of the binaries.
///
/// # Errors
/// When nothing was built.
pub(crate) fn built() -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let built = lambda_dir();
    let entries =
        std::fs::read_dir(&built).with_context(|| format!("nothing is built in {}", shown(&built)))?;
    let mut found = BTreeMap::new();
    for entry in entries {
        let entry = entry?;
        let binary = entry.path().join("bootstrap");
        if binary.exists() {
            found.insert(entry.file_name().to_string_lossy().into_owned(), binary);
        }
    }
    Ok(found)
}

/// Puts what was built into `folder`, each binary under its name.
///
/// # Errors
/// When nothing was built, or the folder cannot be written.
pub(crate) fn lay_out(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", shown(folder)))?;
    for (name, binary) in built()? {
        std::fs::copy(&binary, folder.join(name))
            .with_context(|| format!("cannot copy {} into {}", shown(&binary), shown(folder)))?;
    }
    Ok(())
}

/// Where `cargo lambda` puts each binary, as `build/functions.mk` has it: in a folder of its name, as `bootstrap`.
pub(crate) fn lambda_dir() -> PathBuf {
    repo_root().join(target_dir()).join("lambda").join(ARCHITECTURE)
}

fn target_dir() -> OsString {
    std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into())
}

/// A program that finds the tools, and does not hear what cargo told this process.
fn tool(program: &str, tools: &Tools) -> anyhow::Result<Command> {
    let mut command = Command::new(program);
    for (name, value) in process::cargo().get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let python = tools.python();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = python.parent().map(Path::to_path_buf).into_iter().chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(path)?).current_dir(repo_root());
    Ok(command)
}
