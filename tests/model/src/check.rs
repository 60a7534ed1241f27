//! Runs the model checker.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries, Model};
use strum::VariantArray;

use crate::action::Action;
use crate::drive::Protocol;
use crate::property::Property;

/// The limits of a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// The number of worker threads, at least 1. With one thread, a run is deterministic.
    pub threads: usize,
    /// The number of states after which the run stops, if limited.
    pub max_states: Option<usize>,
    /// The property at whose first counterexample the run stops; `None` for any property.
    pub stop_at: Option<Property>,
}

/// The progress of a run.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// The number of states generated, including duplicates.
    pub states: usize,
    /// The number of distinct states.
    pub unique: usize,
    /// The depth of the breadth-first search, in steps.
    pub depth: usize,
    /// The time since the start of the run.
    pub elapsed: Duration,
}

/// A path to a state that violates a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counterexample {
    /// The violated property.
    pub property: Property,
    /// The actions from the initial state.
    pub actions: Vec<Action>,
}

/// The result of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The progress at the end.
    pub progress: Progress,
    /// Whether every reachable state within the scope was visited.
    pub complete: bool,
    /// The violated properties, in the order of [`Property`].
    pub counterexamples: Vec<Counterexample>,
    /// The outcomes that some order has in some state, sorted: `cancelled`, `expired`, `paid`,
    /// `payment-failed`, `rejected`.
    pub outcomes: Vec<&'static str>,
}

/// Explores the states of `protocol`. Calls `report` about once a second.
pub fn check(protocol: Protocol, limits: Limits, mut report: impl FnMut(Progress)) -> Outcome {
    let start = Instant::now();
    let until = match limits.stop_at {
        Some(property) => HasDiscoveries::AnyOf(BTreeSet::from([property.name()])),
        None => HasDiscoveries::AnyFailures,
    };
    let mut builder = protocol.checker().threads(limits.threads.max(1)).finish_when(until);
    if let Some(states) = limits.max_states {
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
    let counterexamples: Vec<Counterexample> = Property::VARIANTS
        .iter()
        .filter_map(|&property| {
            let path = found.remove(property.name())?;
            let mut actions = Vec::new();
            // Steps after the first violating state are of no interest.
            for (state, action) in path.into_vec() {
                if !property.holds(checker.model(), &state) {
                    break;
                }
                actions.extend(action);
            }
            Some(Counterexample { property, actions })
        })
        .collect();
    let mut outcomes: Vec<&'static str> = found.into_keys().collect();
    outcomes.sort_unstable();
    let progress = progress(&checker);
    let stopped = limits.max_states.is_some_and(|states| progress.states >= states);
    Outcome { complete: counterexamples.is_empty() && !stopped, progress, counterexamples, outcomes }
}
