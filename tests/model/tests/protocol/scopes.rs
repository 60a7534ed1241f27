//! The protocol as it ships.

use std::collections::BTreeSet;

use model::check::{Limits, check};
use model::drive::Protocol;
use model::report::story;
use model::scope::Size;
use model::{calm, scope::Scope};

fn explore(scope: &Scope) -> Vec<&'static str> {
    let protocol = || Protocol::new(scope.clone(), None).unwrap();
    let outcome = check(protocol(), Limits { threads: 2, ..Limits::default() }, |_| {});
    for found in &outcome.counterexamples {
        let story = story(&protocol(), &found.actions).join("\n");
        panic!("{}: {} does not hold:\n{story}", scope.name, found.property.name());
    }
    assert!(outcome.complete, "{} was not explored to its end", scope.name);
    let calm = calm::check(&protocol()).unwrap();
    assert_eq!(calm.states, outcome.progress.unique, "{}: both saw the same states", scope.name);
    outcome.endings
}

#[test]
fn every_property_holds_in_every_small_scope_and_calm_executions_end() {
    let mut endings = BTreeSet::new();
    for scope in Size::Small.scopes() {
        endings.extend(explore(scope));
    }
    // Otherwise the properties would hold of a system in which nothing happens.
    assert_eq!(Vec::from_iter(endings), ["cancelled", "expired", "paid", "payment-failed", "rejected"]);
}
