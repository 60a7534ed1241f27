//! The simulation detects every mutation: with any one protection switched off, it finds a violation.

use std::sync::Arc;

use clap::ValueEnum;
use simulation::mutation::Mutation;
use simulation::run::{Setup, run};
use simulation::wiring::Wiring;

/// A tenth of the seeds that the test of the unmodified system runs.
const SEEDS: u64 = 1_000;

#[test]
fn every_mutation_is_detected() {
    let wiring = Arc::new(Wiring::from_repository().unwrap());
    let mut missed = Vec::new();
    for mutation in Mutation::value_variants() {
        let found = (1..=SEEDS).find_map(|seed| {
            let outcome = run(&Setup { mutation: Some(*mutation), ..Setup::from_seed(seed) }, &wiring);
            Some((seed, outcome.violations.first()?.clone()))
        });
        match found {
            Some((seed, violation)) => println!("{mutation:?}: detected by seed {seed}: {violation}"),
            None => missed.push(mutation),
        }
    }
    assert!(missed.is_empty(), "not detected in {SEEDS} seeds: {missed:?}");
}
