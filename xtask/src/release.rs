//! Release builds of the functions: made with the command of `sam build`, for this machine's architecture.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use terminal::process;

use crate::paths::{display_path, repo_root};
use crate::process::cargo;
use crate::tools::Tools;

/// This machine's architecture, as Lambda names it; also the name of a folder in `build/`.
pub const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
/// The corresponding flag of `cargo lambda`.
const FLAG: &str = if cfg!(target_arch = "aarch64") { "--arm64" } else { "--x86-64" };

/// Builds all functions. The first build takes about 10 minutes.
///
/// # Errors
/// When `make` is missing, or the build fails; cargo prints the reason.
pub fn build(tools: &Tools) -> anyhow::Result<()> {
    let mut make = tool("make", tools)?;
    make.args(["--makefile", &format!("build/{ARCHITECTURE}/Makefile"), "functions"]);
    let status = process::run(&mut make).context("`sam build` also needs make: install it")?;
    ensure!(status.success(), "the functions could not be built, see above");
    Ok(())
}

/// Builds the binaries of another package in the same way, but separately from the functions.
///
/// # Errors
/// When the build fails.
pub fn build_package(tools: &Tools, package: &str) -> anyhow::Result<()> {
    let mut cargo = tool("cargo", tools)?;
    cargo.args(["lambda", "build", "--release", FLAG, "--locked", "--bins", "--package", package]);
    cargo.arg("--lambda-dir").arg(lambda_dir());
    let status = process::run(&mut cargo)?;
    ensure!(status.success(), "{package} could not be built, see above");
    Ok(())
}

/// The binaries that were built, by name.
///
/// # Errors
/// When nothing has been built.
pub fn binaries() -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let folder = lambda_dir();
    let entries = std::fs::read_dir(&folder)
        .with_context(|| format!("nothing is built in {}", display_path(&folder)))?;
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

/// Copies the binaries into `folder`, each under its name.
///
/// # Errors
/// When nothing has been built, or the folder cannot be written.
pub fn copy_binaries(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", display_path(folder)))?;
    for (name, binary) in binaries()? {
        std::fs::copy(&binary, folder.join(name)).with_context(|| {
            format!("cannot copy {} into {}", display_path(&binary), display_path(folder))
        })?;
    }
    Ok(())
}

/// Where `cargo lambda` puts each binary, as in `build/functions.mk`: in a folder with its name, as
/// `bootstrap`.
pub fn lambda_dir() -> PathBuf {
    repo_root().join(target_dir()).join("lambda").join(ARCHITECTURE)
}

fn target_dir() -> OsString {
    std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into())
}

/// A command that finds the tools, without the variables that cargo set for this process.
fn tool(program: &str, tools: &Tools) -> anyhow::Result<Command> {
    let mut command = Command::new(program);
    for (name, value) in cargo().get_envs() {
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
