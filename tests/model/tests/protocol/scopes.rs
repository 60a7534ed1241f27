//! The protocol as it ships.

use std::collections::BTreeSet;

use anyhow::{Context, bail, ensure};
use model::check::{Limits, check};
use model::drive::Protocol;
use model::report::story;
use model::scope::Size;
use model::{calm, scope::Scope};

fn explore(scope: &Scope) -> anyhow::Result<Vec<&'static str>> {
    let protocol = || Protocol::new(scope.clone(), None);
    let outcome = check(protocol()?, Limits { threads: 2, ..Limits::default() }, |_| {});
    if let Some(found) = outcome.counterexamples.first() {
        let story = story(&protocol()?, &found.actions).join("\n");
        bail!("{}: {} does not hold:\n{story}", scope.name, found.property.name());
    }
    ensure!(outcome.complete, "{} was not explored to its end", scope.name);
    let calm = calm::check(&protocol()?).context(scope.name)?;
    ensure!(calm.states == outcome.progress.unique, "{}: {calm:?} and {outcome:?} differ", scope.name);
    Ok(outcome.endings)
}

#[test]
fn every_property_holds_in_every_small_scope_and_calm_executions_end() {
    let mut endings = BTreeSet::new();
    for scope in Size::Small.scopes() {
        endings.extend(explore(scope).unwrap());
    }
    // Otherwise the properties would hold of a system in which nothing happens.
    assert_eq!(Vec::from_iter(endings), ["cancelled", "expired", "paid", "payment-failed", "rejected"]);
}
