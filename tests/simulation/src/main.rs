//! `cargo xtask simulate`: many seeds, or one of them with all that happens in it.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use domain::order::OrderStatus;
use platform::memory::lock;
use simulation::planted::Planted;
use simulation::run::{Outcome, Setup, run};
use simulation::wiring::Wiring;

/// Run the functions over ports in memory, in virtual time, with faults at every call, and check what must hold
/// after each step.
///
/// Every seed is a run of its own: some orders, some stock, what goes wrong and when. The same seed gives the same
/// run. Exits with 1 when something did not hold, and says how to run that seed alone.
#[derive(Parser)]
#[command(name = "cargo xtask simulate", bin_name = "cargo xtask simulate")]
struct Cli {
    /// How many seeds to run.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// Run this seed only, and print all that happens in it.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Switch a protection off: something must be found then.
    #[arg(long, value_enum)]
    planted: Option<Planted>,
    /// Threads. The default is one for each processor.
    #[arg(long)]
    threads: Option<usize>,
}

fn main() -> ExitCode {
    match try_main(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn say(line: &str) {
    drop(writeln!(std::io::stdout(), "{line}"));
}

fn try_main(cli: &Cli) -> anyhow::Result<bool> {
    let wiring = Arc::new(Wiring::of_repository()?);
    match cli.seed {
        Some(seed) => Ok(one(seed, cli.planted, &wiring)),
        None => many(cli, &wiring),
    }
}

/// Runs a seed and prints its story. True when everything held.
fn one(seed: u64, planted: Option<Planted>, wiring: &Arc<Wiring>) -> bool {
    let setup = Setup { planted, trace: true, ..Setup::of_seed(seed) };
    say(&format!(
        "seed {seed}: stock {:?}, faults for {} minutes, {:?}",
        setup.stock, setup.minutes, setup.plan
    ));
    for (number, wish) in setup.wishes.iter().enumerate() {
        say(&format!("client {number}: {wish:?}"));
    }
    let outcome = run(&setup, wiring);
    for line in &outcome.trace {
        say(line);
    }
    say(&format!("{} calls, orders: {:?}", outcome.calls, outcome.ended));
    for violation in &outcome.violations {
        say(&format!("✗ {violation}"));
    }
    if outcome.violations.is_empty() {
        say("✓ everything held");
    }
    outcome.violations.is_empty()
}

/// What all seeds together came to.
#[derive(Default)]
struct Sum {
    calls: u64,
    ended: BTreeMap<OrderStatus, u32>,
    failed: BTreeMap<u64, Vec<String>>,
}

impl Sum {
    fn add(&mut self, seed: u64, outcome: Outcome) {
        self.calls = self.calls.saturating_add(outcome.calls);
        for (status, count) in outcome.ended {
            *self.ended.entry(status).or_default() += count;
        }
        if !outcome.violations.is_empty() {
            self.failed.insert(seed, outcome.violations);
        }
    }
}

fn many(cli: &Cli, wiring: &Arc<Wiring>) -> anyhow::Result<bool> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cli.threads.unwrap_or(processors).max(1);
    let end = cli.from.checked_add(cli.seeds).context("--from and --seeds are too large together")?;
    let (next, sum) = (AtomicU64::new(cli.from), std::sync::Mutex::new(Sum::default()));
    let (start, done) = (Instant::now(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| progress(&next, cli.from, end, &done));
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= end || lock(&sum).failed.len() >= 10 {
                            return;
                        }
                        let outcome = run(&Setup { planted: cli.planted, ..Setup::of_seed(seed) }, wiring);
                        lock(&sum).add(seed, outcome);
                    }
                })
            })
            .collect();
        let panicked =
            workers.into_iter().map(std::thread::ScopedJoinHandle::join).any(|worker| worker.is_err());
        done.store(true, Ordering::Relaxed);
        anyhow::ensure!(!panicked, "a run panicked, see above");
        Ok(())
    })?;
    let took = start.elapsed();
    let sum = lock(&sum);
    let orders: u32 = sum.ended.values().sum();
    let seconds = took.as_secs_f64().max(0.001);
    say(&format!(
        "{} seeds, {orders} orders, {} calls in {seconds:.1} s: {:.0} orders per second; ended {:?}",
        next.load(Ordering::Relaxed).min(end).saturating_sub(cli.from),
        sum.calls,
        per_second(orders, took),
        sum.ended
    ));
    for (seed, violations) in &sum.failed {
        say(&format!("✗ seed {seed}: {}", violations.join("\n    ")));
        let planted = cli.planted.map(|planted| format!(" --planted {}", name(planted))).unwrap_or_default();
        say(&format!("  all of it: cargo xtask simulate --seed {seed}{planted}"));
    }
    if sum.failed.is_empty() {
        say("✓ everything held");
    }
    Ok(sum.failed.is_empty())
}

#[expect(clippy::float_arithmetic, reason = "a figure for a person")]
fn per_second(count: u32, time: Duration) -> f64 {
    f64::from(count) / time.as_secs_f64().max(0.001)
}

fn name(planted: Planted) -> String {
    use clap::ValueEnum;
    planted.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Tells every few seconds how far it is.
fn progress(next: &AtomicU64, from: u64, end: u64, done: &AtomicBool) {
    let mut told = Instant::now();
    while !done.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(100));
        if told.elapsed() > Duration::from_secs(5) {
            told = Instant::now();
            let at = next.load(Ordering::Relaxed).min(end).saturating_sub(from);
            drop(writeln!(std::io::stderr(), "  … {at} of {} seeds", end.saturating_sub(from)));
        }
    }
}
