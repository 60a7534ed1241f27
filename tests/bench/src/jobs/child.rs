//! One run of a program.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use bench::process::peak_memory;

/// How often the memory of a running program is looked at. What it takes in its last moment can be missed.
const LOOK: Duration = Duration::from_micros(500);
/// The kernel writes as much into a pipe that nobody reads.
const QUOTED: usize = 2000;

/// What a run took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// From its start to its end.
    pub(super) took: Duration,
    /// The most memory that it had.
    pub(super) peak_kib: u64,
}

/// Runs a program to its end.
///
/// # Errors
/// When it fails, with the end of what it wrote to its standard error.
pub(super) fn run(program: &Path, arguments: &[String]) -> anyhow::Result<Run> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let start = Instant::now();
    let mut child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0;
    let status = loop {
        let text = std::fs::read_to_string(&status_file).unwrap_or_default();
        peak_kib = peak_memory(&text).unwrap_or_default().max(peak_kib);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(LOOK);
    };
    let took = start.elapsed();
    if !status.success() {
        let mut words = Vec::new();
        if let Some(mut error) = child.stderr.take() {
            error.read_to_end(&mut words)?;
        }
        let words =
            String::from_utf8_lossy(words.split_at(words.len().saturating_sub(QUOTED)).1).into_owned();
        bail!("{} failed ({status}): {}", program.display(), words.trim());
    }
    Ok(Run { took, peak_kib })
}
