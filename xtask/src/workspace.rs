//! What cargo knows about the workspace.

use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::Value;

use crate::process::cargo;

/// What cargo builds of a package.
#[derive(Debug)]
pub struct Target {
    /// The name of its package.
    pub package: String,
    /// The name of the target.
    pub name: String,
    /// What it is, such as `lib`, `bin` or `test`.
    pub kind: String,
    /// Whether it has tests, according to its manifest.
    pub is_tested: bool,
    /// The file with its root module.
    pub path: PathBuf,
}

/// The targets of all packages of the workspace.
///
/// # Errors
/// When `cargo metadata` fails.
pub fn targets() -> anyhow::Result<Vec<Target>> {
    let metadata = metadata()?;
    let text = |value: &Value, key: &str| Some(value.get(key)?.as_str()?.to_owned());
    let list = |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned();
    let targets = list(&metadata, "packages").unwrap_or_default().into_iter().flat_map(|package| {
        let targets = list(&package, "targets").unwrap_or_default();
        targets.into_iter().map(move |target| {
            Some(Target {
                package: text(&package, "name")?,
                name: text(&target, "name")?,
                kind: target.get("kind")?.get(0)?.as_str()?.to_owned(),
                is_tested: target.get("test")?.as_bool()?,
                path: text(&target, "src_path")?.into(),
            })
        })
    });
    targets.collect::<Option<_>>().context("`cargo metadata` describes a target in an unknown format")
}

/// The directory of cargo's builds.
///
/// # Errors
/// When `cargo metadata` fails.
pub fn target_dir() -> anyhow::Result<PathBuf> {
    let metadata = metadata()?;
    let dir = metadata.get("target_directory").and_then(Value::as_str);
    Ok(dir.context("`cargo metadata` names no target directory")?.into())
}

fn metadata() -> anyhow::Result<Value> {
    let output = cargo().args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    serde_json::from_slice(&output.stdout).context("`cargo metadata` failed")
}
