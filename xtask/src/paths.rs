//! Paths in the repository.

use std::path::{Path, PathBuf};

/// The root of the repository: from the environment of `cargo run`, otherwise as of the build.
pub fn repo_root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let root = package.ancestors().find(|folder| folder.join("Cargo.lock").exists());
    root.unwrap_or(&package).to_path_buf()
}

/// The folder of local files, which git ignores.
pub fn local_dir() -> PathBuf {
    repo_root().join(".local")
}

/// The path for display: relative to the repository, if it is inside.
pub fn display_path(path: &Path) -> String {
    path.strip_prefix(repo_root()).unwrap_or(path).display().to_string()
}
