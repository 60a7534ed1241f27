//! Builds the functions and the stand-in with the fast profile, and packages them for the deployment.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use serde_json::Value;
use terminal::process;
use xtask::functions::{STAND_IN, Selection};
use xtask::paths::display_path;
use xtask::process::cargo;
use xtask::tools::Tools;

use crate::instance::Instance;

const PACKAGE: &str = include_str!("python/package_function.py");
/// What the stack runs in place of a function that was never built.
const NOT_BUILT: &str = "#!/bin/sh\necho 'This function is not built: run `cargo xtask up`.' >&2\nexit 1\n";

/// The binaries that `cargo build` produced, by name.
pub(crate) struct Binaries(BTreeMap<String, PathBuf>);

impl Binaries {
    /// Builds functions and the stand-in; cargo shows its own progress. It selects the whole workspace, so that cargo
    /// selects the same features of dependencies as for `cargo test --workspace`, and compiles them once.
    pub(crate) fn build(instance: &Instance, selection: Selection) -> anyhow::Result<Self> {
        let messages = instance.build().join("cargo.jsonl");
        let mut command = cargo();
        command.args(["build", "--workspace", "--message-format", "json-render-diagnostics"]);
        for binary in selection.functions()?.iter().map(String::as_str).chain([STAND_IN]) {
            command.args(["--bin", binary]);
        }
        command.stdout(File::create(&messages)?).stderr(Stdio::inherit());
        if !process::run(&mut command)?.success() {
            bail!("the build failed, see above. To run it alone: cargo build --workspace --bins");
        }
        let messages = std::fs::read_to_string(&messages)?;
        Ok(Self(messages.lines().filter_map(executable).collect()))
    }

    /// Replaces binaries by other builds of them.
    pub(crate) fn replace(&mut self, others: BTreeMap<String, PathBuf>) {
        self.0.extend(others);
    }

    /// The folder of the binaries that `cargo build` produced.
    pub(crate) fn dir(&self) -> anyhow::Result<&Path> {
        // The stand-in always comes from `cargo build`, even if the functions are release builds.
        self.get(STAND_IN)?.parent().context("the stand-in's binary has no parent folder")
    }

    /// Packages each function that was built, such as `orders-api.zip` in `dir`. Packages of earlier builds stay.
    /// Returns a version line for each, which changes with its binary.
    pub(crate) fn package(&self, tools: &Tools, dir: &Path) -> anyhow::Result<Vec<String>> {
        std::fs::create_dir_all(dir)?;
        let script = dir.join("package_function.py");
        std::fs::write(&script, PACKAGE)?;
        let pack = |source: &Path, package: &Path| {
            let packed = Command::new(tools.python()).arg(&script).arg(source).arg(package).status()?;
            anyhow::ensure!(packed.success(), "cannot package {}", display_path(package));
            Ok(())
        };
        let not_built = dir.join("not-built");
        std::fs::write(&not_built, NOT_BUILT)?;
        pack(&not_built, &dir.join("not-built.zip"))?;
        let mut versions = Vec::new();
        for function in self.0.keys().filter(|name| *name != STAND_IN) {
            let artifact = make_if_changed(
                self.get(function)?,
                &dir.join(format!("{function}.zip")),
                |source, package| {
                    let stripped = dir.join(function);
                    strip(source, &stripped)?;
                    pack(&stripped, package)?;
                    Ok(std::fs::remove_file(stripped)?)
                },
            )?;
            versions.push(format!("{function} {}", artifact.version));
        }
        Ok(versions)
    }

    /// Copies a binary to where it runs from. Returns whether it changed.
    pub(crate) fn install(&self, binary: &str, copy: &Path) -> anyhow::Result<bool> {
        std::fs::create_dir_all(copy.with_file_name(""))?;
        Ok(make_if_changed(self.get(binary)?, copy, strip)?.changed)
    }

    fn get(&self, name: &str) -> anyhow::Result<&Path> {
        let path = self.0.get(name).map(PathBuf::as_path);
        path.with_context(|| {
            format!("`cargo build` produced no binary `{name}`: is there a src/bin/{name}.rs?")
        })
    }
}

/// Parses the name and the path of an executable from a line of cargo's messages.
fn executable(line: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(line).ok()?;
    let path = message.get("executable")?.as_str()?;
    let name = message.get("target")?.get("name")?.as_str()?;
    Some((name.to_owned(), PathBuf::from(path)))
}

/// A file made from a binary.
struct Artifact {
    /// Whether it was made just now.
    changed: bool,
    /// The version of the binary.
    version: String,
}

/// Makes `target` from a binary, unless it is up to date. A change of the binary is detected by its
/// modification time and size, which are stored next to the target: reading hundreds of megabytes would take
/// longer.
fn make_if_changed(
    source: &Path,
    target: &Path,
    make: impl FnOnce(&Path, &Path) -> anyhow::Result<()>,
) -> anyhow::Result<Artifact> {
    let metadata = source.metadata().with_context(|| format!("cannot read {}", display_path(source)))?;
    let modified = metadata.modified()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let version = format!("{}.{:09} {}", modified.as_secs(), modified.subsec_nanos(), metadata.len());
    let mut stamp = target.as_os_str().to_owned();
    stamp.push(".version");
    let changed = !target.exists() || std::fs::read_to_string(&stamp).ok().as_ref() != Some(&version);
    if changed {
        make(source, target)?;
        std::fs::write(&stamp, &version)?;
    }
    Ok(Artifact { changed, version })
}

/// Copies a binary without its symbols, which are half of its size; with them if there is no `strip`.
fn strip(source: &Path, copy: &Path) -> anyhow::Result<()> {
    // A running program keeps the old file, which cannot be overwritten.
    if copy.exists() {
        std::fs::remove_file(copy)?;
    }
    let mut strip = Command::new("strip");
    strip.arg("-o").args([copy, source]).stderr(Stdio::null());
    if !strip.status().is_ok_and(|status| status.success()) {
        std::fs::copy(source, copy).with_context(|| format!("cannot copy {}", display_path(source)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_found_in_cargos_messages() {
        let made = r#"{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"orders-api"},"executable":"/t/debug/orders-api"}"#;
        assert_eq!(executable(made), Some(("orders-api".to_owned(), PathBuf::from("/t/debug/orders-api"))));
        let library =
            r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"orders"},"executable":null}"#;
        assert_eq!(executable(library), None);
        assert_eq!(executable(r#"{"reason":"build-finished","success":true}"#), None);
    }

    #[test]
    fn a_copy_is_made_again_only_after_a_change() {
        let dir = std::env::temp_dir().join(format!("xtask-copy-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let (source, copy) = (dir.join("source"), dir.join("copy"));
        std::fs::write(&source, "one").unwrap();
        let first = make_if_changed(&source, &copy, strip).unwrap();
        assert!(first.changed);
        let again = make_if_changed(&source, &copy, strip).unwrap();
        assert!(!again.changed);
        assert_eq!(first.version, again.version);
        std::fs::write(&source, "three").unwrap();
        assert!(make_if_changed(&source, &copy, strip).unwrap().changed);
        assert_eq!(std::fs::read_to_string(&copy).unwrap(), "three");
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_failed_artifact_is_made_again() {
        let dir = std::env::temp_dir().join(format!("xtask-retry-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let (source, copy) = (dir.join("source"), dir.join("copy"));
        std::fs::write(&source, "one").unwrap();
        std::fs::write(&copy, "half").unwrap();
        assert!(make_if_changed(&source, &copy, |_, _| anyhow::bail!("disk full")).is_err());
        assert!(make_if_changed(&source, &copy, strip).unwrap().changed);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
