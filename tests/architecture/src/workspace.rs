//! The packages of the repository and their files.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use walkdir::WalkDir;

/// The packages and the source files of the repository.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// The packages of the workspace.
    pub packages: Vec<Package>,
    /// The text files of `lambdas/` and `shared/`, by path relative to the root.
    pub sources: BTreeMap<String, String>,
    /// The direct and transitive dependencies of `domain`.
    pub domain_dependencies: Vec<String>,
}

/// A package of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name in `Cargo.toml`.
    pub name: String,
    /// Its folder relative to the root, such as `lambdas/orders`.
    pub folder: String,
    /// The names of its binaries.
    pub binaries: Vec<String>,
    /// The packages that it depends on, including dev-dependencies.
    pub dependencies: Vec<Dependency>,
}

/// A dependency of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// The name of the package.
    pub name: String,
    /// Whether only tests use it.
    pub is_dev: bool,
    /// The features that it enables, besides the default ones.
    pub features: Vec<String>,
}

/// The root folder of the repository.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

impl Workspace {
    /// Loads the workspace of this repository.
    ///
    /// # Errors
    /// If cargo fails, or a file cannot be read.
    pub fn of_repository() -> Result<Self> {
        Self::at(root())
    }

    /// Loads the workspace of the repository at `root`.
    ///
    /// # Errors
    /// If cargo fails, or a file cannot be read.
    pub fn at(root: &Path) -> Result<Self> {
        let cargo = |arguments: &[&str]| cargo(root, arguments);
        let metadata: Value =
            serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1"])?)?;
        let tree = cargo(&["tree", "-p", "domain", "-e", "normal", "--prefix", "none"])?;
        Ok(Self {
            packages: items(&metadata["packages"]).map(|it| package(root, it)).collect(),
            sources: ["lambdas", "shared"]
                .iter()
                .flat_map(|folder| WalkDir::new(root.join(folder)))
                .filter_map(|entry| {
                    entry.map_err(Into::into).and_then(|entry| source(root, entry.path())).transpose()
                })
                .collect::<Result<_>>()?,
            domain_dependencies: tree
                .lines()
                .filter_map(|line| line.split(' ').next())
                .map(str::to_owned)
                .collect(),
        })
    }

    /// The packages that contain functions: one for each service.
    pub fn services(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.folder.starts_with("lambdas/"))
    }
}

/// The packages of a build of the whole workspace in the repository at `root`, without its tests or with them: a line for
/// each, with the features that cargo selects.
///
/// # Errors
/// If cargo fails.
pub fn selected_features(root: &Path, with_tests: bool) -> Result<BTreeSet<String>> {
    let edges = if with_tests { "normal,build,dev" } else { "normal,build" };
    let tree = cargo(root, &["tree", "--workspace", "-e", edges, "--prefix", "none", "-f", "{p} {f}"])?;
    Ok(tree.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect())
}

/// The sample events of this repository, by file name without `.json`.
///
/// # Errors
/// If a file cannot be read, or is not JSON.
pub fn samples() -> Result<BTreeMap<String, Value>> {
    samples_at(root())
}

/// The sample events of the repository at `root`.
///
/// # Errors
/// If a file cannot be read, or is not JSON.
pub fn samples_at(root: &Path) -> Result<BTreeMap<String, Value>> {
    let folder = root.join("events");
    std::fs::read_dir(&folder)
        .with_context(|| format!("reading {}", folder.display()))?
        .map(|entry| {
            let path = entry?.path();
            let read = || -> Result<Value> { Ok(serde_json::from_str(&std::fs::read_to_string(&path)?)?) };
            let name = path.file_stem().and_then(OsStr::to_str).unwrap_or_default().to_owned();
            Ok((name, read().with_context(|| format!("reading {}", path.display()))?))
        })
        .collect()
}

fn package(root: &Path, metadata: &Value) -> Package {
    let manifest = Path::new(metadata["manifest_path"].as_str().unwrap_or_default());
    let folder = manifest.parent().unwrap_or(manifest);
    Package {
        name: text(&metadata["name"]),
        folder: relative(root, folder),
        binaries: items(&metadata["targets"])
            .filter(|target| items(&target["kind"]).any(|kind| kind == "bin"))
            .map(|target| text(&target["name"]))
            .collect(),
        dependencies: items(&metadata["dependencies"])
            .map(|dependency| Dependency {
                name: text(&dependency["name"]),
                is_dev: dependency["kind"] == "dev",
                features: items(&dependency["features"]).map(text).collect(),
            })
            .collect(),
    }
}

/// The path and the text of the file at `path`, if it is a handwritten text file.
fn source(root: &Path, path: &Path) -> Result<Option<(String, String)>> {
    let extensions = ["rs", "toml", "html", "txt"].map(OsStr::new);
    if !path.is_file() || !path.extension().is_some_and(|extension| extensions.contains(&extension)) {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(Some((relative(root, path), text)))
}

fn relative(root: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(root).unwrap_or(path);
    inside.iter().map(OsStr::to_string_lossy).collect::<Vec<_>>().join("/")
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<String> {
    let run = Command::new(env!("CARGO")).args(arguments).current_dir(root).output()?;
    let stderr = String::from_utf8_lossy(&run.stderr);
    ensure!(run.status.success(), "cargo {} failed: {stderr}", arguments.join(" "));
    Ok(String::from_utf8(run.stdout)?)
}
