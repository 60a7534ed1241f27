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
use crate::sim::Call;
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
/// The faults of [`Pairs::OfService`]: a call has its effect, but its caller is gone; it has none; it has its effect
/// when its caller is gone.
const SERVICE_FAULTS: [Fault; 3] =
    [Fault::Kill { takes_effect: true }, Fault::FailBefore, Fault::Delayed(Duration::from_secs(600))];
/// After the first fault of [`Pairs::OfService`], among how many calls of the service the second one is.
const NEXT_CALLS: usize = 6;
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
    /// Both are calls by the functions of the services that the scenario is about, and the second one is among the next
    /// six of them. Three of the faults are injected. All pairs of calls and of faults would take hours.
    OfService,
    /// Any two calls.
    All,
}

impl Pairs {
    fn faults(self) -> &'static [Fault] {
        if self == Self::OfService { &SERVICE_FAULTS } else { &FAULTS }
    }

    fn max_second_calls(self) -> usize {
        if self == Self::OfService { NEXT_CALLS } else { usize::MAX }
    }

    fn may_start(self, scenario: &Scenario, call: Call) -> bool {
        match self {
            Self::Provider => is_provider(call),
            Self::OfService => scenario.is_of_service(call),
            Self::None | Self::WithProvider | Self::All => true,
        }
    }

    fn includes(self, scenario: &Scenario, first: Call, second: Call) -> bool {
        match self {
            Self::None => false,
            Self::Provider => is_provider(first) && is_provider(second),
            Self::WithProvider => is_provider(first) || is_provider(second),
            Self::OfService => scenario.is_of_service(first) && scenario.is_of_service(second),
            Self::All => true,
        }
    }
}

fn is_provider(call: Call) -> bool {
    call.name.starts_with("provider.")
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
    let work: Vec<FirstFault<'_>> =
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

/// A scenario, and its first fault, at the call with this number.
type FirstFault<'a> = (&'a Scenario, u64, Call, Fault);

fn first_faults<'a>(scenario: &'a Scenario, pairs: Pairs, wiring: &Arc<Wiring>) -> Vec<FirstFault<'a>> {
    let calls = run(&scenario.setup, wiring).calls;
    (1..)
        .zip(calls)
        .filter(|(_, call)| pairs.may_start(scenario, *call))
        .flat_map(|(number, call)| pairs.faults().iter().map(move |fault| (scenario, number, call, *fault)))
        .collect()
}

/// Runs a scenario with its first fault, or once for each second one.
fn run_with(
    (scenario, number, call, fault): &FirstFault<'_>,
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
    let seconds = later.filter(|(_, later)| pairs.includes(scenario, *call, **later));
    for (second, _) in seconds.take(pairs.max_second_calls()) {
        for other in pairs.faults() {
            let plan = Plan::At(vec![(*number, *fault), (second, *other)]);
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
    let is_expected = scenario.ends.is_empty() || scenario.ends.iter().any(|expected| end == *expected);
    if outcome.violations.is_empty() && is_expected {
        return None;
    }
    let plan = setup.plan.clone();
    let trace = run(&Setup { trace: true, ..setup }, wiring).trace.join("\n");
    Some(format!(
        "{trace}\n\n“{}” with {plan:?}: {:#?}\n{end:#?}\nexpected:\n{:#?}",
        scenario.name, outcome.violations, scenario.ends
    ))
}
