//! Explores the protocol as it ships.

use std::collections::BTreeSet;

use anyhow::{Context, bail, ensure};
use model::check::{Limits, check};
use model::drive::Protocol;
use model::report::describe_steps;
use model::scope::Size;
use model::{scope::Scope, termination};

fn explore(scope: &Scope) -> anyhow::Result<Vec<&'static str>> {
    let protocol = || Protocol::new(scope.clone(), None);
    let outcome = check(protocol()?, Limits { threads: 2, ..Limits::default() }, |_| {});
    if let Some(found) = outcome.counterexamples.first() {
        let steps = describe_steps(&protocol()?, &found.actions).join("\n");
        bail!("{}: {} does not hold:\n{steps}", scope.name, found.property.name());
    }
    ensure!(outcome.complete, "{} was not explored completely", scope.name);
    let termination = termination::check(&protocol()?).context(scope.name)?;
    ensure!(
        termination.states == outcome.progress.unique,
        "{}: {termination:?} and {outcome:?} differ",
        scope.name
    );
    Ok(outcome.outcomes)
}

#[test]
fn every_property_holds_in_every_small_scope_and_fault_free_runs_terminate() {
    let mut outcomes = BTreeSet::new();
    for scope in Size::Small.scopes() {
        outcomes.extend(explore(scope).unwrap());
    }
    // Otherwise the properties would also hold in a system in which no order ever ends.
    assert_eq!(Vec::from_iter(outcomes), ["cancelled", "expired", "paid", "payment-failed", "rejected"]);
}
