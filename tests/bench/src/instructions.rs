//! Counts the instructions of functions with callgrind, which other load on the machine does not affect.
//!
//! Calls are made over plain HTTP: valgrind hides instructions of the processor that ring uses.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use bench::backend::Backend;
use bench::functions::Function;
use bench::process::Process;

use crate::statistics::{decimal, hundredths, megabytes};

/// The cost of a function in one build.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Build {
    /// The size of the binary in bytes.
    size: u64,
    /// The instructions from the start of a process to its end.
    instructions: u64,
}

impl Build {
    /// Runs the function's binary in `folder` under callgrind, and invokes it `calls` times.
    pub(crate) async fn measure(folder: &Path, function: &Function, calls: usize) -> anyhow::Result<Self> {
        let binary = std::path::absolute(folder.join(&function.name))?;
        let size =
            std::fs::metadata(&binary).with_context(|| format!("cannot read {}", binary.display()))?.len();
        let dir = tempfile::tempdir()?;
        let counted = dir.path().join("callgrind.out");
        let wrapper = dir.path().join(&function.name);
        let script = format!(
            "#!/bin/sh\nexec valgrind --tool=callgrind --callgrind-out-file='{}' '{}'\n",
            counted.display(),
            binary.display()
        );
        std::fs::write(&wrapper, script)?;
        std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755))?;

        let backend = Backend::start(None).await?;
        let log = dir.path().join("output");
        let (mut process, _) = Process::start(function, &wrapper, &backend.addresses(function), &log).await?;
        for _ in 0..calls {
            process.invoke().await?;
        }
        process.terminate().await?;
        let text = std::fs::read_to_string(&counted).context("valgrind wrote no result")?;
        let instructions = total(&text).context("valgrind counted no instructions")?;
        Ok(Self { size, instructions })
    }

    /// The row of the function named `name` in the report, in Markdown.
    pub(crate) fn line(self, name: &str, baseline: Option<Self>) -> String {
        let ratio = |value: u64, other: fn(&Self) -> u64| {
            baseline.map_or_else(String::new, |baseline| {
                decimal(hundredths(value.into(), other(&baseline).into()))
            })
        };
        format!(
            "| {name} | {} | {} | {} | {} |",
            megabytes(self.size),
            decimal(hundredths(self.instructions.into(), 1_000_000)),
            ratio(self.size, |build| build.size),
            ratio(self.instructions, |build| build.instructions),
        )
    }
}

/// Checks that valgrind is installed.
pub(crate) fn check() -> anyhow::Result<()> {
    let found =
        Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success());
    ensure!(found, "valgrind is not installed: install the package `valgrind`");
    Ok(())
}

/// The sum of all events in a file of callgrind (<https://valgrind.org/docs/manual/cl-format.html>).
fn total(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("totals: "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_parsed() {
        assert_eq!(total("events: Ir\nsummary: 5\n\nfn=main\n1 5\ntotals: 70123456\n"), Some(70_123_456));
        assert_eq!(total("events: Ir\n"), None);
    }
}
