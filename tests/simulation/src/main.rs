//! `cargo xtask simulate`: runs many seeds, or a single one with its trace.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use domain::order::OrderStatus;
use platform::lock;
use simulation::crash_pass::{Pairs, crash_pass};
use simulation::mutation::Mutation;
use simulation::run::{Outcome, Setup, run};
use simulation::scenarios;
use simulation::wiring::Wiring;

/// Run the functions with in-memory ports, in virtual time, with faults at every call, and check the
/// invariants after each step.
///
/// A seed determines the orders, the stock, and the faults of a run. The same seed gives the same run. Exits
/// with 1 if an invariant was violated, and prints the command that runs that seed alone.
#[derive(Parser)]
#[command(name = "cargo xtask simulate", bin_name = "cargo xtask simulate")]
struct Cli {
    /// The number of seeds to run.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// Run only this seed, and print its trace.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Switch a protection off. The simulation should then find a violation.
    #[arg(long, value_enum)]
    mutation: Option<Mutation>,
    /// Instead of random faults, inject one fault, or two, at every call of a few scenarios, of the
    /// order process and of each other service.
    #[arg(long, value_name = "FAULTS", value_parser = clap::value_parser!(u8).range(1..=2), conflicts_with_all = ["seeds", "seed", "from"])]
    crash_pass: Option<u8>,
    /// In a crash pass with two faults, inject them at any two calls of the order process, and not only if one of
    /// the two is a call of the payment provider. Takes much longer.
    #[arg(long, requires = "crash_pass")]
    all_pairs: bool,
    /// The number of threads. The default is one per processor.
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
    let wiring = Arc::new(Wiring::from_repository()?);
    if let Some(faults) = cli.crash_pass {
        return Ok(crashes(cli, faults, &wiring));
    }
    match cli.seed {
        Some(seed) => Ok(one(seed, cli.mutation, &wiring)),
        None => many(cli, &wiring),
    }
}

/// Runs the crash pass. Returns whether every run had an end that is right.
fn crashes(cli: &Cli, faults: u8, wiring: &Arc<Wiring>) -> bool {
    let pairs = match faults {
        1 => Pairs::None,
        _ if cli.all_pairs => Pairs::All,
        _ => Pairs::WithProvider,
    };
    let of_services = if pairs == Pairs::None { pairs } else { Pairs::OfService };
    let passes =
        [("order process", scenarios::all(), pairs), ("services", scenarios::of_services(), of_services)];
    let mut is_right = true;
    for (what, scenarios, pairs) in passes {
        let start = Instant::now();
        let report = crash_pass(&scenarios, pairs, cli.mutation, wiring);
        for failure in &report.failures {
            say(failure);
        }
        say(&format!("{what}: {} runs in {:.1} s", report.runs, start.elapsed().as_secs_f64()));
        is_right &= report.failures.is_empty();
    }
    say(if is_right { "✓ every end is right" } else { "✗ an end is wrong" });
    is_right
}

/// Runs a seed and prints its trace. Returns whether every invariant held.
fn one(seed: u64, mutation: Option<Mutation>, wiring: &Arc<Wiring>) -> bool {
    let setup = Setup { mutation, trace: true, ..Setup::from_seed(seed) };
    say(&format!(
        "seed {seed}: stock {:?}, services {:?}, faults for {} minutes, {:?}",
        setup.stock, setup.services, setup.fault_minutes, setup.plan
    ));
    for (number, order_request) in setup.requests.iter().enumerate() {
        say(&format!("client {number}: {order_request:?}"));
    }
    let outcome = run(&setup, wiring);
    for line in &outcome.trace {
        say(line);
    }
    say(&format!("{} calls, orders: {:?}", outcome.calls.len(), outcome.order_statuses));
    for violation in &outcome.violations {
        say(&format!("✗ {violation}"));
    }
    if outcome.violations.is_empty() {
        say("✓ no violations");
    }
    outcome.violations.is_empty()
}

/// The combined results of all seeds.
#[derive(Default)]
struct Sum {
    calls: usize,
    order_statuses: BTreeMap<OrderStatus, u32>,
    failed: BTreeMap<u64, Vec<String>>,
}

impl Sum {
    fn add(&mut self, seed: u64, outcome: Outcome) {
        self.calls += outcome.calls.len();
        for (status, count) in outcome.order_statuses {
            *self.order_statuses.entry(status).or_default() += count;
        }
        if !outcome.violations.is_empty() {
            self.failed.insert(seed, outcome.violations);
        }
    }
}

fn many(cli: &Cli, wiring: &Arc<Wiring>) -> anyhow::Result<bool> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cli.threads.unwrap_or(processors).max(1);
    let end = cli.from.checked_add(cli.seeds).context("the sum of --from and --seeds is too large")?;
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
                        let outcome =
                            run(&Setup { mutation: cli.mutation, ..Setup::from_seed(seed) }, wiring);
                        lock(&sum).add(seed, outcome);
                    }
                })
            })
            .collect();
        let panicked =
            workers.into_iter().map(std::thread::ScopedJoinHandle::join).any(|worker| worker.is_err());
        done.store(true, Ordering::Relaxed);
        anyhow::ensure!(!panicked, "a run panicked; its message is above");
        Ok(())
    })?;
    let took = start.elapsed();
    let sum = lock(&sum);
    let orders: u32 = sum.order_statuses.values().sum();
    let seconds = took.as_secs_f64().max(0.001);
    say(&format!(
        "{} seeds, {orders} orders, {} calls in {seconds:.1} s: {:.0} orders per second; statuses {:?}",
        next.load(Ordering::Relaxed).min(end).saturating_sub(cli.from),
        sum.calls,
        per_second(orders, took),
        sum.order_statuses
    ));
    for (seed, violations) in &sum.failed {
        say(&format!("✗ seed {seed}: {}", violations.join("\n    ")));
        let mutation =
            cli.mutation.map(|mutation| format!(" --mutation {}", name(mutation))).unwrap_or_default();
        say(&format!("  with its trace: cargo xtask simulate --seed {seed}{mutation}"));
    }
    if sum.failed.is_empty() {
        say("✓ no violations");
    }
    Ok(sum.failed.is_empty())
}

#[expect(clippy::float_arithmetic, reason = "a figure for display")]
fn per_second(count: u32, time: Duration) -> f64 {
    f64::from(count) / time.as_secs_f64().max(0.001)
}

fn name(mutation: Mutation) -> String {
    use clap::ValueEnum;
    mutation.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Prints the progress every few seconds.
fn progress(next: &AtomicU64, from: u64, end: u64, done: &AtomicBool) {
    let mut last_print = Instant::now();
    while !done.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(100));
        if last_print.elapsed() > Duration::from_secs(5) {
            last_print = Instant::now();
            let at = next.load(Ordering::Relaxed).min(end).saturating_sub(from);
            drop(writeln!(std::io::stderr(), "  … {at} of {} seeds", end.saturating_sub(from)));
        }
    }
}
