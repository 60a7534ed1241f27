//! The simulation can fail: with any one protection switched off, it finds out.

use std::sync::Arc;

use clap::ValueEnum;
use simulation::planted::Planted;
use simulation::run::{Setup, run};
use simulation::wiring::Wiring;

/// A tenth of the seeds that a check of the whole runs.
const SEEDS: u64 = 1_000;

#[test]
fn every_planted_bug_is_found() {
    let wiring = Arc::new(Wiring::of_repository().unwrap());
    let mut missed = Vec::new();
    for planted in Planted::value_variants() {
        let found = (1..=SEEDS).find_map(|seed| {
            let outcome = run(&Setup { planted: Some(*planted), ..Setup::of_seed(seed) }, &wiring);
            Some((seed, outcome.violations.first()?.clone()))
        });
        match found {
            Some((seed, violation)) => println!("{planted:?}: found by seed {seed}: {violation}"),
            None => missed.push(planted),
        }
    }
    assert!(missed.is_empty(), "not found in {SEEDS} seeds: {missed:?}");
}
