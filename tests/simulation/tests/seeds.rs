//! Many random runs hold what is promised, and the same seed is the same run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use simulation::run::{Setup, run};
use simulation::wiring::Wiring;

/// How many runs a check of the whole makes. More: `cargo xtask simulate --seeds N`.
const SEEDS: u64 = 10_000;

#[test]
fn ten_thousand_seeds_hold_what_is_promised() {
    let wiring = Arc::new(Wiring::of_repository().unwrap());
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
                let outcome = run(&Setup::of_seed(seed), &wiring);
                if !outcome.violations.is_empty() {
                    let what = outcome.violations.join("\n  ");
                    failed.push(format!(
                        "seed {seed}: {what}\n  all of it: cargo xtask simulate --seed {seed}"
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
fn the_same_seed_is_the_same_run_byte_for_byte() {
    let wiring = Arc::new(Wiring::of_repository().unwrap());
    for seed in 1..=30 {
        let setup = Setup { trace: true, ..Setup::of_seed(seed) };
        let (first, second) = (run(&setup, &wiring), run(&setup, &wiring));
        assert!(first.trace.len() > 20, "seed {seed} does something");
        assert_eq!(first.trace.join("\n"), second.trace.join("\n"), "seed {seed}");
    }
    let traces = [1, 2].map(|seed| run(&Setup { trace: true, ..Setup::of_seed(seed) }, &wiring).trace);
    assert_ne!(traces[0], traces[1], "another seed is another run");
}
