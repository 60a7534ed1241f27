//! The crash pass: a fault, or two, at every call of every function in a few scenarios, one run each. Once the
//! messages have been redelivered, the run has an end that is right.
//!
//! The idea comes from the sagas in Oxide's omicron, which are tested by failing each of their nodes.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use platform::lock;

use crate::faults::{Fault, Plan};
use crate::mutation::Mutation;
use crate::run::{Outcome, Setup, run};
use crate::scenarios::{Scenario, end};
use crate::wiring::Wiring;

/// The faults, each injected at each call.
pub const FAULTS: [Fault; 9] = [
    Fault::Kill { takes_effect: false },
    Fault::Kill { takes_effect: true },
    Fault::FailBefore,
    Fault::FailAfter,
    Fault::RetriedBySdk,
    Fault::Hang { takes_effect: false, client_timeout: None },
    Fault::Hang { takes_effect: true, client_timeout: Some(Duration::from_secs(5)) },
    Fault::Delayed(Duration::from_secs(600)),
    Fault::Stall(Duration::from_secs(900)),
];
/// The number of failures after which a pass ends.
const MAX_FAILURES: usize = 3;

/// The pairs of calls at which two faults are injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairs {
    /// None: one fault per run.
    None,
    /// Both are calls of the payment provider.
    Provider,
    /// One is a call of the payment provider, the other one is any.
    WithProvider,
    /// Any two calls.
    All,
}

impl Pairs {
    fn may_start(self, call: &str) -> bool {
        self != Self::Provider || is_provider(call)
    }

    fn includes(self, first: &str, second: &str) -> bool {
        match self {
            Self::None => false,
            Self::Provider => is_provider(first) && is_provider(second),
            Self::WithProvider => is_provider(first) || is_provider(second),
            Self::All => true,
        }
    }
}

fn is_provider(call: &str) -> bool {
    call.starts_with("provider.")
}

/// The result of a pass.
#[derive(Debug, Default)]
pub struct Report {
    /// The number of runs with faults.
    pub runs: usize,
    /// The runs whose end is wrong, at most a few, each with its trace.
    pub failures: Vec<String>,
}

/// Runs the scenarios with one fault at each call, or with two at each pair of calls, on all processors. The
/// second fault is at a call of the run that has the first one.
pub fn crash_pass(
    scenarios: &[Scenario],
    pairs: Pairs,
    mutation: Option<Mutation>,
    wiring: &Arc<Wiring>,
) -> Report {
    let work: Vec<(&Scenario, u64, &str, Fault)> =
        scenarios.iter().flat_map(|scenario| first_faults(scenario, pairs, wiring)).collect();
    let (next, report) = (AtomicUsize::new(0), Mutex::new(Report::default()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(first) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if lock(&report).failures.len() >= MAX_FAILURES {
                        return;
                    }
                    let (runs, failures) = run_with(first, pairs, mutation, wiring);
                    let mut report = lock(&report);
                    report.runs += runs;
                    report.failures.extend(failures);
                }
            });
        }
    });
    report.into_inner().unwrap_or_default()
}

fn first_faults<'a>(
    scenario: &'a Scenario,
    pairs: Pairs,
    wiring: &Arc<Wiring>,
) -> Vec<(&'a Scenario, u64, &'static str, Fault)> {
    let calls = run(&scenario.setup, wiring).calls;
    (1..)
        .zip(calls)
        .filter(|(_, call)| pairs.may_start(call))
        .flat_map(|(number, call)| FAULTS.map(|fault| (scenario, number, call, fault)))
        .collect()
}

/// Runs a scenario with its first fault, or once for each second one.
fn run_with(
    (scenario, number, call, fault): &(&Scenario, u64, &str, Fault),
    pairs: Pairs,
    mutation: Option<Mutation>,
    wiring: &Arc<Wiring>,
) -> (usize, Vec<String>) {
    let setup = Setup { mutation, plan: Plan::once(*number, *fault), ..scenario.setup.clone() };
    let outcome = run(&setup, wiring);
    if pairs == Pairs::None {
        return (1, check(scenario, setup, &outcome, wiring).into_iter().collect());
    }
    let mut runs = 0;
    let mut failures = Vec::new();
    let later = (1..).zip(&outcome.calls).filter(|(later, _)| later > number);
    for (second, _) in later.filter(|(_, later)| pairs.includes(call, later)) {
        for other in FAULTS {
            let plan = Plan::At(vec![(*number, *fault), (second, other)]);
            let setup = Setup { plan, ..setup.clone() };
            let outcome = run(&setup, wiring);
            runs += 1;
            failures.extend(check(scenario, setup, &outcome, wiring));
            if failures.len() >= MAX_FAILURES {
                return (runs, failures);
            }
        }
    }
    (runs, failures)
}

/// Describes what is wrong with the end of a run, if anything is.
fn check(scenario: &Scenario, setup: Setup, outcome: &Outcome, wiring: &Arc<Wiring>) -> Option<String> {
    let end = end(outcome);
    if outcome.violations.is_empty() && scenario.ends.iter().any(|expected| end == *expected) {
        return None;
    }
    let plan = setup.plan.clone();
    let trace = run(&Setup { trace: true, ..setup }, wiring).trace.join("\n");
    Some(format!(
        "{trace}\n\n“{}” with {plan:?}: {:#?}\n{end:#?}\nexpected:\n{:#?}",
        scenario.name, outcome.violations, scenario.ends
    ))
}
