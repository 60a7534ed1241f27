//! The simulation detects every mutation: with any one protection switched off, it finds a violation. The table
//! in `docs/CORRECTNESS.md` says which seed finds it first.

use std::collections::BTreeMap;
use std::sync::Arc;

use architecture::workspace::root;
use clap::ValueEnum;
use simulation::mutation::Mutation;
use simulation::run::{Setup, run};
use simulation::wiring::Wiring;

/// Fewer than the test of the unmodified system runs.
const SEEDS: u64 = 1_000;
/// What the table says of a mutation that only the crash pass detects.
const CRASH_PASS: &str = "crash pass";

/// The rule that a violation starts with; otherwise, it is an invariant of a service.
fn rule(violation: &str) -> &str {
    let rule = violation.split_once(':').map(|(rule, _)| rule);
    rule.filter(|rule| !rule.contains(' ')).unwrap_or("services")
}

/// The first seed and the rule by mutation, as the table documents them.
fn documented() -> BTreeMap<String, (String, String)> {
    let document = std::fs::read_to_string(root().join("docs/CORRECTNESS.md")).unwrap();
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    rows.filter_map(|(name, rest)| {
        let mut cells = rest.split(" | ").skip(1);
        let (seed, rule) = (cells.next()?, cells.next()?);
        Some((name.to_owned(), (seed.to_owned(), rule.split('`').nth(1)?.to_owned())))
    })
    .collect()
}

#[test]
fn every_mutation_is_detected() {
    let wiring = Arc::new(Wiring::from_repository().unwrap());
    let mut missed = Vec::new();
    let mut detected = BTreeMap::new();
    for mutation in Mutation::value_variants() {
        let name = mutation.to_possible_value().unwrap().get_name().to_owned();
        // `crashes.rs` tests that the crash pass detects it.
        if mutation.needs_crash_pass() {
            detected.insert(name, (CRASH_PASS.to_owned(), "OneCapture".to_owned()));
            continue;
        }
        let found = (1..=SEEDS).find_map(|seed| {
            let outcome = run(&Setup { mutation: Some(*mutation), ..Setup::from_seed(seed) }, &wiring);
            Some((seed, outcome.violations.first()?.clone()))
        });
        match found {
            Some((seed, violation)) => {
                println!("{mutation:?}: detected by seed {seed}: {violation}");
                detected.insert(name, (seed.to_string(), rule(&violation).to_owned()));
            }
            None => missed.push(mutation),
        }
    }
    assert!(missed.is_empty(), "not detected in {SEEDS} seeds: {missed:?}");
    assert_eq!(
        documented(),
        detected,
        "left: the table in docs/CORRECTNESS.md; right: the first seeds that detect"
    );
}
