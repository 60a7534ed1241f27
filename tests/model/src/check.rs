//! Runs the checker.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries, Model};

use crate::action::Action;
use crate::drive::Protocol;
use crate::property::Property;

/// How a run is bounded.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// Worker threads, at least 1. With one, the same run gives the same counterexample.
    pub threads: usize,
    /// Stops after so many states, where given.
    pub states: Option<usize>,
    /// Stops at the first counterexample of this property; without it, when any property has one.
    pub until: Option<Property>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// States generated, with repetitions.
    pub states: usize,
    /// Different states.
    pub unique: usize,
    /// The longest shortest path to a state, in steps.
    pub depth: usize,
    /// Since the start.
    pub elapsed: Duration,
}

/// A way to a state in which a property does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counterexample {
    /// Which.
    pub property: Property,
    /// What happens, from the start.
    pub actions: Vec<Action>,
}

/// What a run found.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// How far it came.
    pub progress: Progress,
    /// Whether every state within the scope was visited.
    pub complete: bool,
    /// What does not hold, in the order of [`Property::ALL`].
    pub counterexamples: Vec<Counterexample>,
    /// How some order ended in some state: `paid`, `rejected`, `payment-failed`, `cancelled`, `expired`. Sorted.
    pub endings: Vec<&'static str>,
}

/// Explores the states of `protocol`, and calls `report` about once a second.
pub fn check(protocol: Protocol, limits: Limits, mut report: impl FnMut(Progress)) -> Outcome {
    let start = Instant::now();
    let until = match limits.until {
        Some(property) => HasDiscoveries::AnyOf(BTreeSet::from([property.name()])),
        None => HasDiscoveries::AnyFailures,
    };
    let mut builder = protocol.checker().threads(limits.threads.max(1)).finish_when(until);
    if let Some(states) = limits.states {
        builder = builder.target_state_count(states);
    }
    let mut checker = builder.spawn_bfs();
    let handles = checker.handles();
    let progress = |checker: &dyn Checker<Protocol>| Progress {
        states: checker.state_count(),
        unique: checker.unique_state_count(),
        depth: checker.max_depth().saturating_sub(1),
        elapsed: start.elapsed(),
    };
    let mut last = Instant::now();
    while !handles.iter().all(std::thread::JoinHandle::is_finished) {
        std::thread::sleep(Duration::from_millis(5));
        if last.elapsed() >= Duration::from_secs(1) {
            last = Instant::now();
            report(progress(&checker));
        }
    }
    let mut found = checker.discoveries();
    let counterexamples: Vec<Counterexample> = Property::ALL
        .into_iter()
        .filter_map(|property| {
            let path = found.remove(property.name())?;
            let mut actions = Vec::new();
            // What comes after the first state in which it does not hold tells nothing.
            for (state, action) in path.into_vec() {
                if !property.holds(checker.model(), &state) {
                    break;
                }
                actions.extend(action);
            }
            Some(Counterexample { property, actions })
        })
        .collect();
    let mut endings: Vec<&'static str> = found.into_keys().collect();
    endings.sort_unstable();
    let progress = progress(&checker);
    let stopped = limits.states.is_some_and(|states| progress.states >= states);
    Outcome { complete: counterexamples.is_empty() && !stopped, progress, counterexamples, endings }
}
