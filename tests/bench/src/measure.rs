//! Measures functions: interleaved cold starts of all functions, then warm invocations of each.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};

use bench::backend::{Backend, Traffic};
use bench::functions::Function;
use bench::process::{Init, Process};

use crate::statistics::percentile;
use crate::tls::Certificates;

/// The measurements of a function.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measurements {
    /// The cold starts without the first one, for which the pages of the file are not in memory yet.
    pub(crate) cold: Vec<Cold>,
    /// The durations of the invocations of one process after its first one.
    pub(crate) warm: Vec<Duration>,
    /// The peak memory of this process in KiB.
    pub(crate) peak_memory: u64,
    /// The size of the binary in bytes.
    pub(crate) size: u64,
}

impl Measurements {
    /// Whether something other than the function affected the duration of its starts: their 90th percentile is at least 1.5
    /// times the 10th.
    pub(crate) fn is_unstable(&self) -> bool {
        let inits = |percent| percentile(self.cold.iter().map(|cold| cold.init.wall), percent);
        inits(90) * 2 > inits(10) * 3
    }
}

/// A cold start.
#[derive(Debug, Clone)]
pub(crate) struct Cold {
    /// The time until the function requests its first event.
    pub(crate) init: Init,
    /// Whether it opened a connection during init, so that its first event does not have to wait for it.
    pub(crate) connects_in_init: bool,
    /// The time from the first event to its response.
    pub(crate) first: Duration,
    /// The outgoing requests for the first event.
    pub(crate) traffic: Traffic,
}

/// The configuration of a measurement.
pub(crate) struct Bench {
    /// The folder with the binaries.
    pub(crate) binaries: PathBuf,
    /// The number of cold starts of each function. An additional first one does not count.
    pub(crate) rounds: usize,
    /// The number of warm invocations of each function.
    pub(crate) warm: usize,
    /// Whether to use plain HTTP instead of TLS.
    pub(crate) http: bool,
}

impl Bench {
    /// Measures `functions`; the result has the same order.
    pub(crate) async fn run(&self, functions: &[Function], repo: &Path) -> anyhow::Result<Vec<Measurements>> {
        let dir = tempfile::tempdir_in(&self.binaries).with_context(|| {
            format!("cannot write to {}: build the functions with cargo xtask bench", self.binaries.display())
        })?;
        let certificates = if self.http { None } else { Some(Certificates::generate()?) };
        let backend = Backend::start(certificates.as_ref().map(|made| &made.server)).await?;
        let roots = certificates.as_ref().map(|made| made.write_roots(dir.path(), repo)).transpose()?;
        let log = dir.path().join("output");

        let mut runs = Vec::new();
        for function in functions {
            // A linker writes a file in random order, which scatters its pages in memory. Lambda unpacks a package
            // sequentially; starting a sequentially written copy takes a sixth less time.
            let binary = dir.path().join(&function.name);
            let built = self.binaries.join(&function.name);
            let size = std::fs::copy(&built, &binary).with_context(|| {
                format!("cannot read {}: build it with cargo xtask bench", built.display())
            })?;
            let mut environment = backend.addresses(function);
            if let Some(roots) = &roots {
                let file = if function.uses_system_roots() { &roots.system } else { &roots.amazon };
                environment.push(("SSL_CERT_FILE".to_owned(), file.display().to_string()));
            }
            let run = Run { function, binary, environment, backend: &backend, log: &log };
            runs.push((run, Measurements { size, ..Measurements::default() }));
        }
        // Interleaved, so that other load on the machine affects all of them alike.
        let progress = progress("cold starts", (self.rounds + 1) * runs.len());
        for round in 0..=self.rounds {
            for (run, measured) in &mut runs {
                progress.set_message(run.function.name.clone());
                let cold = run.measure_cold().await?;
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
            (measured.warm, measured.peak_memory) = run.measure_warm(self.warm).await?;
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

    async fn measure_cold(&self) -> anyhow::Result<Cold> {
        self.backend.take_traffic();
        let (mut process, init) = self.start().await?;
        let connects_in_init = self.take_traffic()?.connections > 0;
        let first = process.invoke().await;
        let traffic = self.take_traffic()?;
        let first = first?;
        process.end().await?;
        Ok(Cold { init, connects_in_init, first, traffic })
    }

    /// Returns the durations of `count` invocations after a first one, and the peak memory of the process in KiB.
    async fn measure_warm(&self, count: usize) -> anyhow::Result<(Vec<Duration>, u64)> {
        let (mut process, _) = self.start().await?;
        process.invoke().await?;
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            times.push(process.invoke().await?);
        }
        self.take_traffic()?;
        let peak_memory = process.peak_memory()?;
        process.end().await?;
        Ok((times, peak_memory))
    }

    fn take_traffic(&self) -> anyhow::Result<Traffic> {
        let traffic = self.backend.take_traffic();
        if let Some(unexpected) = traffic.unexpected.first() {
            bail!(
                "{} sent a request that the benchmark's backend does not support (tests/bench/src/backend/responses.rs):\n  {unexpected}",
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
        crate::print_line(&format!("{what} …"));
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unstable_measurement_is_detected() {
        let starts = |times: &[u64]| Measurements {
            cold: times
                .iter()
                .map(|time| Cold {
                    init: Init { wall: Duration::from_millis(*time), cpu: Duration::ZERO },
                    connects_in_init: false,
                    first: Duration::ZERO,
                    traffic: Traffic::default(),
                })
                .collect(),
            ..Measurements::default()
        };
        assert!(!starts(&[10, 11, 12, 13, 14, 15]).is_unstable());
        assert!(
            !starts(&[10, 10, 10, 10, 10, 10, 10, 10, 10, 90]).is_unstable(),
            "one outlier does not count"
        );
        assert!(starts(&[10, 11, 12, 13, 16]).is_unstable());
    }
}
