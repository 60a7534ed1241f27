//! The measurement: cold starts of all functions in turns, then each one warm.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};

use bench::backend::{Backend, Traffic};
use bench::functions::Function;
use bench::process::{Init, Process};

use crate::statistics::percentile;
use crate::tls::Certificates;

/// What of a function is measured.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measured {
    /// The cold starts, without the first, which finds the file's pages not yet in memory.
    pub(crate) cold: Vec<Cold>,
    /// The invocations of one process after its first.
    pub(crate) warm: Vec<Duration>,
    /// The most memory that this process took, in KiB.
    pub(crate) peak_memory: u64,
    /// The size of the binary, in bytes.
    pub(crate) size: u64,
}

impl Measured {
    /// Whether something other than the function decided how long its starts took: the 90th percentile of them is
    /// half as much again as the 10th, or more.
    pub(crate) fn is_unsteady(&self) -> bool {
        let inits = |percent| percentile(self.cold.iter().map(|cold| cold.init.wall), percent);
        inits(90) * 2 > inits(10) * 3
    }
}

/// A cold start.
#[derive(Debug, Clone)]
pub(crate) struct Cold {
    /// Until the function asks for its first event.
    pub(crate) init: Init,
    /// Whether it opened a connection in that time, so that its first event need not wait for it.
    pub(crate) connects_in_init: bool,
    /// From the first event to its answer.
    pub(crate) first: Duration,
    /// What the first event made it ask of others.
    pub(crate) traffic: Traffic,
}

/// Everything that a measurement needs.
pub(crate) struct Bench {
    /// Where the binaries are.
    pub(crate) binaries: PathBuf,
    /// How many cold starts of each function count. One more is made.
    pub(crate) rounds: usize,
    /// How many warm invocations of each function.
    pub(crate) warm: usize,
    /// Without TLS.
    pub(crate) http: bool,
}

impl Bench {
    /// Measures `functions`; the result has the same order.
    pub(crate) async fn run(&self, functions: &[Function], repo: &Path) -> anyhow::Result<Vec<Measured>> {
        let dir = tempfile::tempdir_in(&self.binaries)
            .with_context(|| format!("cannot write to {}: is anything built?", self.binaries.display()))?;
        let certificates = if self.http { None } else { Some(Certificates::generate()?) };
        let backend = Backend::start(certificates.as_ref().map(|made| &made.server)).await?;
        let roots = certificates.as_ref().map(|made| made.write_roots(dir.path(), repo)).transpose()?;
        let log = dir.path().join("output");

        let mut runs = Vec::new();
        for function in functions {
            // A linker writes a file here and there, which scatters its pages in memory: starting a copy, written
            // from front to end as Lambda unpacks a package, takes a sixth less.
            let binary = dir.path().join(&function.name);
            let built = self.binaries.join(&function.name);
            let size = std::fs::copy(&built, &binary).with_context(|| {
                format!("{} cannot be read. Build it: cargo xtask bench", built.display())
            })?;
            let mut environment = backend.addresses(function);
            if let Some(roots) = &roots {
                let file = if function.trusts_the_machine() { &roots.system } else { &roots.amazon };
                environment.push(("SSL_CERT_FILE".to_owned(), file.display().to_string()));
            }
            let run = Run { function, binary, environment, backend: &backend, log: &log };
            runs.push((run, Measured { size, ..Measured::default() }));
        }
        // In turns, so that whatever else the machine does meets all of them alike.
        let progress = progress("cold starts", (self.rounds + 1) * runs.len());
        for round in 0..=self.rounds {
            for (run, measured) in &mut runs {
                progress.set_message(run.function.name.clone());
                let cold = run.cold().await?;
                if round > 0 {
                    measured.cold.push(cold);
                }
                progress.inc(1);
            }
        }
        progress.finish_and_clear();
        let progress = self::progress("warm invocations", runs.len());
        for (run, measured) in &mut runs {
            progress.set_message(run.function.name.clone());
            (measured.warm, measured.peak_memory) = run.warm(self.warm).await?;
            progress.inc(1);
        }
        progress.finish_and_clear();
        Ok(runs.into_iter().map(|(_, measured)| measured).collect())
    }
}

struct Run<'a> {
    function: &'a Function,
    binary: PathBuf,
    environment: Vec<(String, String)>,
    backend: &'a Backend,
    log: &'a Path,
}

impl Run<'_> {
    async fn start(&self) -> anyhow::Result<(Process<'_>, Init)> {
        Process::start(self.function, &self.binary, &self.environment, self.log).await
    }

    async fn cold(&self) -> anyhow::Result<Cold> {
        self.backend.take_traffic();
        let (mut process, init) = self.start().await?;
        let connects_in_init = self.traffic()?.connections > 0;
        let first = process.invoke().await;
        let traffic = self.traffic()?;
        let first = first?;
        process.end().await?;
        Ok(Cold { init, connects_in_init, first, traffic })
    }

    /// The times of `count` invocations after a first one, and the most memory that the process took, in KiB.
    async fn warm(&self, count: usize) -> anyhow::Result<(Vec<Duration>, u64)> {
        let (mut process, _) = self.start().await?;
        process.invoke().await?;
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            times.push(process.invoke().await?);
        }
        self.traffic()?;
        let peak_memory = process.peak_memory()?;
        process.end().await?;
        Ok((times, peak_memory))
    }

    fn traffic(&self) -> anyhow::Result<Traffic> {
        let traffic = self.backend.take_traffic();
        if let Some(unexpected) = traffic.unexpected.first() {
            bail!(
                "{} asked for something that the benchmark's backend does not know (tests/bench/src/backend/answers.rs):\n  {unexpected}",
                self.function.name
            );
        }
        Ok(traffic)
    }
}

fn progress(what: &str, steps: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(steps).unwrap_or(u64::MAX));
    if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg:20} {elapsed}") {
        bar.set_style(style);
    }
    bar.set_prefix(what.to_owned());
    if bar.is_hidden() {
        crate::say(&format!("{what} …"));
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_that_wanders_is_noticed() {
        let starts = |times: &[u64]| Measured {
            cold: times
                .iter()
                .map(|time| Cold {
                    init: Init { wall: Duration::from_millis(*time), cpu: Duration::ZERO },
                    connects_in_init: false,
                    first: Duration::ZERO,
                    traffic: Traffic::default(),
                })
                .collect(),
            ..Measured::default()
        };
        assert!(!starts(&[10, 11, 12, 13, 14, 15]).is_unsteady());
        assert!(!starts(&[10, 10, 10, 10, 10, 10, 10, 10, 10, 90]).is_unsteady(), "one alone is no pattern");
        assert!(starts(&[10, 11, 12, 13, 16]).is_unsteady());
    }
}
