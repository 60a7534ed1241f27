//! A run leaves nothing in memory, so that millions of seeds need no more of it than a few.

#![expect(clippy::unwrap_used, reason = "a failing helper fails the test")]

use std::sync::Arc;

use simulation::run::{Setup, run_and_inspect};
use simulation::wiring::Wiring;

#[test]
fn the_world_is_freed_at_the_end_of_its_run() {
    let wiring = Arc::new(Wiring::from_repository().unwrap());
    for seed in 1..=100 {
        let (_, world) = run_and_inspect(&Setup::from_seed(seed), &wiring, Arc::downgrade);
        assert_eq!(world.strong_count(), 0, "seed {seed}: something still holds the world");
    }
}

/// The resident set of this process, in KiB.
#[cfg(target_os = "linux")]
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

/// Finds what [`the_world_is_freed_at_the_end_of_its_run`] cannot: memory that a run leaves outside its world.
#[cfg(target_os = "linux")]
#[test]
fn the_resident_set_does_not_grow_with_the_number_of_runs() {
    /// A quarter of what the worlds of these runs would occupy.
    const MAX_GROWTH_KIB: u64 = 4 * 1024;
    let wiring = Arc::new(Wiring::from_repository().unwrap());
    let run = |seeds: std::ops::Range<u64>| {
        for seed in seeds {
            run_and_inspect(&Setup::from_seed(seed), &wiring, |_| ());
        }
        resident_kib()
    };
    let before = run(1..100);
    let after = run(100..250);
    assert!(
        after.saturating_sub(before) < MAX_GROWTH_KIB,
        "the resident set grew from {before} KiB to {after} KiB within 150 seeds"
    );
}
