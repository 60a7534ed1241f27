//! Runs a program and measures its time and memory.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use bench::process::peak_memory;

/// The interval at which the memory of a running program is sampled. A peak just before its end can be missed.
const SAMPLING_INTERVAL: Duration = Duration::from_micros(500);
/// The maximum number of bytes of a program's standard error that an error quotes. The pipe's buffer is larger, so the
/// program does not block although the pipe is read only after its end.
const MAX_QUOTED_BYTES: usize = 2000;

/// The measurements of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// The time from its start to its end.
    pub(super) duration: Duration,
    /// Its peak memory in KiB.
    pub(super) peak_kib: u64,
}

/// Runs a program to its end.
///
/// # Errors
/// If it fails. The error contains the end of its standard error.
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
        std::thread::sleep(SAMPLING_INTERVAL);
    };
    let duration = start.elapsed();
    if !status.success() {
        let mut output = Vec::new();
        if let Some(mut stderr) = child.stderr.take() {
            stderr.read_to_end(&mut output)?;
        }
        let output =
            String::from_utf8_lossy(output.split_at(output.len().saturating_sub(MAX_QUOTED_BYTES)).1)
                .into_owned();
        bail!("{} failed ({status}): {}", program.display(), output.trim());
    }
    Ok(Run { duration, peak_kib })
}
