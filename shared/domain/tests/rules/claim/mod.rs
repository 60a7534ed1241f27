//! Claims, model-checked: every interleaving of two and three runs over the rules themselves, with a crash and a
//! pause at every step; and that each protection is missed when it is off.

mod world;

use std::collections::HashSet;

use domain::claim::Policy;
use proptest::prelude::*;

use self::world::{Mutant, Setup, World};
use crate::sample::cases;

const POLICIES: [Policy; 3] = [Policy::Retry, Policy::Block, Policy::Reconcile];

/// What was found.
struct Explored {
    states: usize,
    /// The most effects in a state.
    effects: usize,
    /// What broke, and how it came to that.
    violation: Option<String>,
}

/// Goes through all that can happen to runs with these payloads.
fn explore(setup: Setup, payloads: &[u8]) -> Explored {
    let start = World::new(payloads);
    let mut seen = HashSet::from([start.clone()]);
    let mut found = Explored { states: 0, effects: 0, violation: None };
    // Each state by what led to it from which state before.
    let mut steps = vec![(0, String::new())];
    let mut open = vec![(start, 0)];
    while let Some((world, place)) = open.pop() {
        found.states += 1;
        found.effects = found.effects.max(world.effects.len());
        if world.hangs(setup) {
            found.violation = Some(told(&steps, place, "somebody waits for ever"));
            return found;
        }
        for next in world.next(setup) {
            steps.push((place, next.name));
            let place = steps.len() - 1;
            if let Some(what) = next.breaks {
                found.violation = Some(told(&steps, place, &what));
                return found;
            }
            if seen.insert(next.world.clone()) {
                open.push((next.world, place));
            } else {
                steps.pop();
            }
        }
    }
    found
}

/// What broke, and each step that led to it.
fn told(steps: &[(usize, String)], mut place: usize, what: &str) -> String {
    let mut path = Vec::new();
    while place > 0 {
        let (before, name) = &steps[place];
        path.push(name.as_str());
        place = *before;
    }
    path.reverse();
    format!("{what}: {}", path.join(", "))
}

fn setup(policy: Policy, late_effects: bool, mutant: Mutant) -> Setup {
    Setup { policy, late_effects, mutant }
}

#[test]
fn in_no_interleaving_is_a_promise_broken() {
    for policy in POLICIES {
        for late_effects in [false, true] {
            for payloads in [&[0, 0][..], &[0, 1], &[0, 0, 0], &[0, 1, 0]] {
                let explored = explore(setup(policy, late_effects, Mutant::None), payloads);
                assert_eq!(
                    explored.violation, None,
                    "{policy:?}, late effects: {late_effects}, {payloads:?}"
                );
                assert!(explored.states > 100, "{} states are not all", explored.states);
            }
        }
    }
}

#[test]
fn what_is_not_promised_does_happen() {
    let most = |policy, late_effects| explore(setup(policy, late_effects, Mutant::None), &[0, 0]).effects;
    assert_eq!(most(Policy::Retry, false), 2, "an unknown outcome is tried again");
    assert_eq!(most(Policy::Block, true), 1, "also when a run wakes up late");
    assert_eq!(most(Policy::Reconcile, false), 1);
    // So a lease has to be longer than the function runs.
    assert_eq!(most(Policy::Reconcile, true), 2, "nobody can ask about an effect that is yet to begin");
}

/// The violation that a mutant leads to.
#[track_caller]
fn missed(policy: Policy, late_effects: bool, mutant: Mutant, payloads: &[u8]) -> String {
    let explored = explore(setup(policy, late_effects, mutant), payloads);
    explored.violation.unwrap_or_else(|| panic!("nothing breaks with {mutant:?} under {policy:?}"))
}

#[test]
fn a_completion_without_a_condition_is_missed() {
    let told = missed(Policy::Retry, false, Mutant::UnconditionalCompletion, &[0, 0]);
    assert!(told.contains("not its own any more") || told.contains("receipts"), "{told}");
}

#[test]
fn a_give_up_without_a_condition_is_missed() {
    let told = missed(Policy::Retry, false, Mutant::UnconditionalGiveUp, &[0, 0]);
    assert!(told.contains("not its own any more") || told.contains("undone"), "{told}");
}

#[test]
fn a_payload_that_is_not_compared_is_missed() {
    for policy in POLICIES {
        let told = missed(policy, false, Mutant::NoFingerprintCheck, &[0, 1]);
        assert!(told.contains("another payload") || told.contains("happened 2 times"), "{told}");
    }
}

#[test]
fn an_unknown_outcome_that_counts_as_none_is_missed() {
    for policy in POLICIES {
        let told = missed(policy, false, Mutant::UnknownAsNotDone, &[0, 0]);
        assert!(told.contains("happened 2 times"), "{told}");
    }
}

#[test]
fn an_age_that_is_not_looked_at_is_missed() {
    for policy in POLICIES {
        let told = missed(policy, false, Mutant::NoAgeCheck, &[0, 0]);
        assert!(told.contains("happened 2 times") && told.contains("removed"), "{told}");
    }
}

#[test]
fn a_policy_that_is_not_kept_is_missed() {
    for policy in [Policy::Block, Policy::Reconcile] {
        let told = missed(policy, false, Mutant::PolicyIgnored, &[0, 0]);
        assert!(told.contains("happened 2 times"), "{told}");
    }
}

proptest! {
    #![proptest_config(cases(300))]

    /// More runs than can be explored, at random.
    #[test]
    fn many_runs_break_no_promise(
        policy in prop::sample::select(&POLICIES[..]),
        late_effects: bool,
        payloads in prop::collection::vec(0..2_u8, 1..7),
        choices in prop::collection::vec(any::<prop::sample::Index>(), 1..60),
    ) {
        let setup = setup(policy, late_effects, Mutant::None);
        let mut world = World::new(&payloads);
        let mut path = Vec::new();
        for choice in choices {
            let mut next = world.next(setup);
            if next.is_empty() {
                break;
            }
            let next = next.swap_remove(choice.index(next.len()));
            path.push(next.name);
            prop_assert!(next.breaks.is_none(), "{:?}: {path:?}", next.breaks);
            prop_assert!(!next.world.hangs(setup), "{path:?}");
            world = next.world;
        }
    }
}
