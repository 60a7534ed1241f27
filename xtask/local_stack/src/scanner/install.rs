//! Finds `clamd` on the path, or unpacks it from Debian's packages into `.local/tools`, without installing
//! these.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use terminal::ui;
use xtask::paths::local_dir;
use xtask::process;
use xtask::tools::lock_installation;

/// An executable program.
pub(super) struct Program {
    pub(super) path: PathBuf,
    /// Folders of its libraries, if they are not installed on the system.
    pub(super) libraries: Vec<PathBuf>,
}

const NEXT_STEP: &str = "install ClamAV's daemon (Debian, Ubuntu: sudo apt install clamav-daemon; \
                         macOS: brew install clamav), then run the command again";
/// Folders of administration programs, which may not be on a user's path.
const SYSTEM_DIRS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"];

/// Finds `clamd`, or downloads it where Debian's package manager is available.
pub(super) fn find_or_install() -> anyhow::Result<Program> {
    if let Some(path) = on_path("clamd") {
        return Ok(Program { path, libraries: Vec::new() });
    }
    let tools = local_dir().join("tools");
    let _lock = lock_installation(&tools, "clamav")?;
    let root = tools.join("clamav");
    if let Some(program) = unpacked(&root) {
        return Ok(program);
    }
    if on_path("apt-get").is_none() || on_path("dpkg").is_none() {
        bail!("clamd is not installed: {NEXT_STEP}");
    }
    let progress = ui::Progress::start("downloading the malware scanner into .local/tools");
    progress.detail("about 8 MB of Debian's packages, the first time only");
    fetch(&root).with_context(|| format!("clamd could not be downloaded: {NEXT_STEP}"))?;
    let program = unpacked(&root).context("Debian's packages contain no clamd")?;
    progress.done("downloaded the malware scanner into .local/tools");
    Ok(program)
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).chain(SYSTEM_DIRS.map(PathBuf::from));
    dirs.map(|dir| dir.join(name)).find(|program| program.is_file())
}

/// The unpacked program, if it is complete.
fn unpacked(root: &Path) -> Option<Program> {
    let path = root.join("usr/sbin/clamd");
    // On Debian, libraries are in a folder that is named after the architecture.
    let entries = std::fs::read_dir(root.join("usr/lib")).ok()?.flatten();
    let libraries = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    path.is_file().then_some(Program { path, libraries })
}

/// Downloads the daemon and the libraries that this machine lacks. All files go to one folder, so neither the
/// system's packages nor its package database change, and no root permissions are needed.
fn fetch(root: &Path) -> anyhow::Result<()> {
    let work = root.with_extension("new");
    if work.exists() {
        std::fs::remove_dir_all(&work)?;
    }
    let (lists, cache, packages) = (work.join("lists"), work.join("cache"), work.join("packages"));
    for dir in [lists.join("partial"), cache.join("archives/partial"), packages.clone()] {
        std::fs::create_dir_all(dir)?;
    }
    let log = root.with_extension("log");
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.arg("-o").arg(format!("Dir::State::Lists={}", lists.display()));
        apt.arg("-o").arg(format!("Dir::Cache={}", cache.display()));
        apt.args(["-o", "APT::Sandbox::User=root", "--quiet"]).args(arguments);
        apt.current_dir(&packages).env("LC_ALL", "C");
        apt
    };
    process::run_logged(&mut apt(&["update"]), &log)?;
    let plan = apt(&["install", "--simulate", "--no-install-recommends", "clamav-daemon"])
        .output()
        .context("apt-get")?;
    let plan = String::from_utf8_lossy(&plan.stdout).into_owned();
    let needed = needed(&plan);
    anyhow::ensure!(!needed.is_empty(), "apt-get does not know the package clamav-daemon:\n{plan}");
    process::run_logged(apt(&["download"]).args(&needed), &log)?;
    let files = work.join("files");
    for package in std::fs::read_dir(&packages)?.flatten() {
        process::run_logged(Command::new("dpkg").arg("-x").arg(package.path()).arg(&files), &log)?;
    }
    if root.exists() {
        std::fs::remove_dir_all(root)?;
    }
    std::fs::rename(files, root)?;
    std::fs::remove_dir_all(work)?;
    Ok(())
}

/// The daemon and the libraries among the lines `Inst <package> (<version> …)`. The other packages are for
/// maintaining an installed daemon.
fn needed(plan: &str) -> Vec<&str> {
    let packages = plan.lines().filter_map(|line| line.strip_prefix("Inst ")?.split_whitespace().next());
    packages.filter(|name| *name == "clamav-daemon" || name.starts_with("lib")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_daemon_and_libraries_are_needed() {
        let plan = "Reading package lists...\nInst logrotate (3.21.0-1 Debian:12.15/oldstable [amd64])\n\
                    Inst libclamav12 (1.4.6+dfsg-0+deb12u1 Debian-Security:12 [amd64])\n\
                    Inst clamav-freshclam (1.4.6+dfsg-0+deb12u1 Debian-Security:12 [amd64])\n\
                    Inst clamav-daemon (1.4.6+dfsg-0+deb12u1 Debian-Security:12 [amd64])\n\
                    Conf clamav-daemon (1.4.6+dfsg-0+deb12u1 Debian-Security:12 [amd64])\n";
        assert_eq!(needed(plan), ["libclamav12", "clamav-daemon"]);
    }

    /// A typing error in a signature would let the tests' malware pass.
    #[test]
    fn the_signatures_match_the_documented_texts() {
        let texts: Vec<(String, String)> = super::super::SIGNATURES
            .lines()
            .map(|line| {
                let parts: Vec<&str> = line.split(':').collect();
                let bytes = (0..parts[3].len())
                    .step_by(2)
                    .map(|at| u8::from_str_radix(&parts[3][at..at + 2], 16).unwrap());
                (parts[0].to_owned(), String::from_utf8(bytes.collect()).unwrap())
            })
            .collect();
        assert_eq!(texts[0].0, "Eicar-Test-Signature");
        assert!(
            texts[0].1.len() == 68 && texts[0].1.contains("EICAR-STANDARD") && texts[0].1.ends_with("$H+H*")
        );
        assert_eq!(texts[1].1, "serverless-orders: a harmless text that counts as a threat");
    }
}
