//! Many random runs satisfy every invariant, and a seed reproduces its run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use simulation::run::{Setup, run};
use simulation::wiring::Wiring;

/// The number of seeds that the test runs. For more: `cargo xtask simulate --seeds N`.
const SEEDS: u64 = 1_500;

#[test]
fn no_seed_has_a_violation() {
    let wiring = Arc::new(Wiring::from_repository().unwrap());
    let next = AtomicU64::new(1);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let failed: Vec<String> = std::thread::scope(|scope| {
        let work = || {
            let mut failed = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed > SEEDS || failed.len() >= 3 {
                    return failed;
                }
                let outcome = run(&Setup::from_seed(seed), &wiring);
                if !outcome.violations.is_empty() {
                    let what = outcome.violations.join("\n  ");
                    failed.push(format!(
                        "seed {seed}: {what}\n  with its trace: cargo xtask simulate --seed {seed}"
                    ));
                }
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(failed.is_empty(), "\n{}\n", failed.join("\n"));
}

#[test]
fn a_seed_reproduces_its_run_byte_for_byte() {
    let wiring = Arc::new(Wiring::from_repository().unwrap());
    for seed in 1..=30 {
        let setup = Setup { trace: true, ..Setup::from_seed(seed) };
        let (first, second) = (run(&setup, &wiring), run(&setup, &wiring));
        assert!(first.trace.len() > 20, "seed {seed} has a trace");
        assert_eq!(first.trace.join("\n"), second.trace.join("\n"), "seed {seed}");
    }
    let traces = [1, 2].map(|seed| run(&Setup { trace: true, ..Setup::from_seed(seed) }, &wiring).trace);
    assert_ne!(traces[0], traces[1], "different seeds give different runs");
}
