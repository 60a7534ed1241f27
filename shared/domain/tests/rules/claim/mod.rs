//! Model checking of claims: every interleaving of two and three attempts, with a crash and a pause at every
//! step. Mutation tests show that each protection is necessary.

mod world;

use std::collections::HashSet;

use domain::claim::Policy;
use proptest::prelude::*;

use self::world::{Mutation, Setup, World};
use crate::sample::cases;

const POLICIES: [Policy; 3] = [Policy::Retry, Policy::Block, Policy::Reconcile];

/// The result of an exploration.
struct Explored {
    states: usize,
    /// The maximum number of effects in a state.
    max_effects: usize,
    /// The violated property, with the steps that led to it.
    violation: Option<String>,
}

/// Explores all behaviours of attempts with these payloads.
fn explore(setup: Setup, payloads: &[u8]) -> Explored {
    let start = World::new(payloads);
    let mut seen = HashSet::from([start.clone()]);
    let mut explored = Explored { states: 0, max_effects: 0, violation: None };
    // Each step, with the index of the step before it.
    let mut steps = vec![(0, String::new())];
    let mut unexplored = vec![(start, 0)];
    while let Some((world, index)) = unexplored.pop() {
        explored.states += 1;
        explored.max_effects = explored.max_effects.max(world.effects.len());
        if world.hangs(setup) {
            explored.violation = Some(trace(&steps, index, "an attempt waits for ever"));
            return explored;
        }
        for next in world.next(setup) {
            steps.push((index, next.name));
            let index = steps.len() - 1;
            if let Some(violation) = next.violation {
                explored.violation = Some(trace(&steps, index, &violation));
                return explored;
            }
            if seen.insert(next.world.clone()) {
                unexplored.push((next.world, index));
            } else {
                steps.pop();
            }
        }
    }
    explored
}

/// Describes a violation with the steps that led to it.
fn trace(steps: &[(usize, String)], mut index: usize, violation: &str) -> String {
    let mut path = Vec::new();
    while index > 0 {
        let (previous, name) = &steps[index];
        path.push(name.as_str());
        index = *previous;
    }
    path.reverse();
    format!("{violation}: {}", path.join(", "))
}

fn setup(policy: Policy, late_effects: bool, mutation: Mutation) -> Setup {
    Setup { policy, late_effects, mutation }
}

#[test]
fn no_interleaving_violates_a_guarantee() {
    for policy in POLICIES {
        for late_effects in [false, true] {
            for payloads in [&[0, 0][..], &[0, 1], &[0, 0, 0], &[0, 1, 0]] {
                let explored = explore(setup(policy, late_effects, Mutation::None), payloads);
                assert_eq!(
                    explored.violation, None,
                    "{policy:?}, late effects: {late_effects}, {payloads:?}"
                );
                assert!(explored.states > 100, "only {} states were explored", explored.states);
            }
        }
    }
}

#[test]
fn what_is_not_guaranteed_does_happen() {
    let max_effects =
        |policy, late_effects| explore(setup(policy, late_effects, Mutation::None), &[0, 0]).max_effects;
    assert_eq!(max_effects(Policy::Retry, false), 2, "an unknown outcome is retried");
    assert_eq!(max_effects(Policy::Block, true), 1, "even if an attempt resumes late");
    assert_eq!(max_effects(Policy::Reconcile, false), 1);
    // Therefore a lease has to exceed the timeout of the function.
    assert_eq!(max_effects(Policy::Reconcile, true), 2, "an effect that has not started yet cannot be found");
}

/// Returns the violation that a mutation leads to.
#[track_caller]
fn violation(policy: Policy, late_effects: bool, mutation: Mutation, payloads: &[u8]) -> String {
    let explored = explore(setup(policy, late_effects, mutation), payloads);
    explored.violation.unwrap_or_else(|| panic!("{mutation:?} violates nothing under {policy:?}"))
}

#[test]
fn an_unconditional_completion_is_detected() {
    let violation = violation(Policy::Retry, false, Mutation::UnconditionalCompletion, &[0, 0]);
    assert!(violation.contains("no longer its own") || violation.contains("receipts"), "{violation}");
}

#[test]
fn an_unconditional_release_is_detected() {
    let violation = violation(Policy::Retry, false, Mutation::UnconditionalRelease, &[0, 0]);
    assert!(violation.contains("no longer its own") || violation.contains("undone"), "{violation}");
}

#[test]
fn a_missing_fingerprint_check_is_detected() {
    for policy in POLICIES {
        let violation = violation(policy, false, Mutation::NoFingerprintCheck, &[0, 1]);
        assert!(
            violation.contains("another payload") || violation.contains("happened 2 times"),
            "{violation}"
        );
    }
}

#[test]
fn treating_an_unknown_outcome_as_not_done_is_detected() {
    for policy in POLICIES {
        let violation = violation(policy, false, Mutation::UnknownAsNotDone, &[0, 0]);
        assert!(violation.contains("happened 2 times"), "{violation}");
    }
}

#[test]
fn a_missing_age_check_is_detected() {
    for policy in POLICIES {
        let violation = violation(policy, false, Mutation::NoAgeCheck, &[0, 0]);
        assert!(violation.contains("happened 2 times") && violation.contains("deleted"), "{violation}");
    }
}

#[test]
fn an_ignored_policy_is_detected() {
    for policy in [Policy::Block, Policy::Reconcile] {
        let violation = violation(policy, false, Mutation::PolicyIgnored, &[0, 0]);
        assert!(violation.contains("happened 2 times"), "{violation}");
    }
}

proptest! {
    #![proptest_config(cases(300))]

    /// Random behaviours of more attempts than can be explored exhaustively.
    #[test]
    fn many_attempts_violate_no_guarantee(
        policy in prop::sample::select(&POLICIES[..]),
        late_effects: bool,
        payloads in prop::collection::vec(0..2_u8, 1..7),
        choices in prop::collection::vec(any::<prop::sample::Index>(), 1..60),
    ) {
        let setup = setup(policy, late_effects, Mutation::None);
        let mut world = World::new(&payloads);
        let mut path = Vec::new();
        for choice in choices {
            let mut next = world.next(setup);
            if next.is_empty() {
                break;
            }
            let next = next.swap_remove(choice.index(next.len()));
            path.push(next.name);
            prop_assert!(next.violation.is_none(), "{:?}: {path:?}", next.violation);
            prop_assert!(!next.world.hangs(setup), "{path:?}");
            world = next.world;
        }
    }
}
