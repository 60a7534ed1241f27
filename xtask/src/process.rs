//! Child processes of the developer's commands: cargo and the installed tools.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};
use terminal::process::{command_text, run};
use terminal::ui::DIM;

use crate::paths::{display_path, repo_root};

/// How many lines of a log an error quotes.
const TAIL_LINES: usize = 30;

/// Runs `command` with its output in `log`. If it fails, the error quotes the end of the log.
///
/// # Errors
/// When the command fails or cannot be started.
pub fn run_logged(command: &mut Command, log: &Path) -> anyhow::Result<()> {
    let file = File::create(log).with_context(|| format!("cannot write {}", display_path(log)))?;
    command.stdout(file.try_clone()?).stderr(file);
    let status = run(command)?;
    if !status.success() {
        bail!("`{}` failed ({status}). The end of its output:\n{}", command_text(command), log_tail(log));
    }
    Ok(())
}

/// Runs a command with its output on the terminal.
///
/// # Errors
/// When the command fails or cannot be started.
pub fn run_visible(command: &mut Command) -> anyhow::Result<()> {
    anstream::println!("{DIM}$ {}{DIM:#}", command_text(command));
    let status = run(command)?;
    if !status.success() {
        bail!("`{}` failed ({status}), see above", command_text(command));
    }
    Ok(())
}

/// The last lines of a log, and the path of the file.
pub fn log_tail(log: &Path) -> String {
    let text = std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let text = text.unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(TAIL_LINES);
    let quoted: String = lines.iter().skip(from).map(|line| format!("  | {line}\n")).collect();
    format!("{quoted}The whole log: {}", display_path(log))
}

/// A `cargo` command without the variables that the surrounding `cargo run` set for this process: they would
/// make build scripts run again.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(&*name);
        }
    }
    command.current_dir(repo_root());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_command_quotes_the_end_of_its_log() {
        let log = std::env::temp_dir().join(format!("xtask-quote-{}.log", std::process::id()));
        let error = run_logged(Command::new("sh").args(["-c", "echo no luck; exit 3"]), &log).unwrap_err();
        std::fs::remove_file(&log).unwrap();
        let text = format!("{error:#}");
        assert!(text.contains("  | no luck\n"), "{text}");
        assert!(text.contains(".log"), "{text}");
    }
}
