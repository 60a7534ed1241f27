//! Each condition of the adapters' requests is needed by a contract: `cargo xtask mutants conditions`.

#![expect(clippy::print_stderr, reason = "it shows its progress")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use architecture::contracts::conditions;
use architecture::workspace::Workspace;
use contracts::conditions::{Condition, Mutation, SUPERFLUOUS};
use contracts::{PORTS, Port};
use end_to_end::Requirement;

use super::clients::Mutator;
use super::worlds::Worlds;
use crate::shared_with;

/// The maximum duration of a contract. Without a condition it may wait for something that does not happen.
const CONTRACT_TIMEOUT: Duration = Duration::from_secs(60);

macro_rules! violation_of_suite {
    ($($suite:ident => [$($adapter:literal),+ $(,)?],)+) => {
        /// Checks one contract on the real adapters. Returns the error if it is violated.
        async fn violation(worlds: &Worlds<'_>, suite: &str, contract: &str) -> anyhow::Result<Option<String>> {
            let checking = async {
                match suite {
                    $(stringify!($suite) => {
                        let make = async || worlds.$suite().await;
                        Box::pin(contracts::$suite::violation(contract, make)).await
                    })+
                    other => anyhow::bail!("there is no suite {other}"),
                }
            };
            let timed_out = || Ok(Some(format!("it takes more than {} s", CONTRACT_TIMEOUT.as_secs())));
            tokio::time::timeout(CONTRACT_TIMEOUT, checking).await.unwrap_or_else(|_| timed_out())
        }
    };
}
contracts::for_each_port!(violation_of_suite);

/// The contracts that send each condition of the adapters of their suite.
type Senders = BTreeMap<Condition, Vec<(&'static str, &'static str)>>;

#[tokio::test]
#[ignore = "takes minutes: cargo xtask mutants conditions"]
async fn each_condition_is_needed_by_a_contract() {
    let Some((stack, _guard)) = shared_with(&[Requirement::ThrowawayStack]).await else { return };
    let only = std::env::var("MUTANTS_ONLY").unwrap_or_default();
    let workspace = Workspace::of_repository().unwrap();
    let in_sources = conditions(&workspace);
    let is_meant = |port: &&Port| {
        port.adapters.iter().any(|path| in_sources.contains_key(path) && path.contains(only.as_str()))
    };
    let ports: Vec<&Port> = PORTS.iter().filter(is_meant).collect();
    assert!(!ports.is_empty(), "no adapter with conditions has {only:?} in its path");

    let mutator = Arc::new(Mutator::default());
    let worlds = Worlds::new(&stack, Some(mutator.clone()));
    let senders = record(&worlds, &mutator, &ports).await.unwrap();
    let mut failures = Vec::new();
    for port in &ports {
        for adapter in port.adapters {
            let sent: BTreeSet<&str> = senders
                .keys()
                .filter(|condition| condition.adapter == *adapter)
                .flat_map(|condition| {
                    condition.clauses().0.into_iter().chain([condition.expression.as_str()])
                })
                .collect();
            let found = in_sources.get(adapter).into_iter().flat_map(|found| &found.texts);
            let unsent = found.filter(|text| !sent.contains(text.as_str()));
            failures.extend(unsent.map(|text| format!("{adapter}: no contract sends {text}")));
        }
    }
    failures.extend(mutate(&worlds, &mutator, &senders).await.unwrap());
    worlds.remove().await.unwrap();
    assert!(failures.is_empty(), "\n- {}\n", failures.join("\n- "));
}

/// Runs all contracts of these ports, which hold, and records the conditions that their adapters send.
async fn record(worlds: &Worlds<'_>, mutator: &Mutator, ports: &[&Port]) -> anyhow::Result<Senders> {
    let mut senders = Senders::new();
    for port in ports {
        let started = Instant::now();
        let before = senders.len();
        for contract in port.contracts {
            mutator.take_recorded();
            let violation = violation(worlds, port.suite, contract).await?;
            anyhow::ensure!(violation.is_none(), "{}::{contract}: {violation:?}", port.suite);
            for condition in mutator.take_recorded() {
                if port.adapters.contains(&condition.adapter) {
                    senders.entry(condition).or_default().push((port.suite, *contract));
                }
            }
        }
        let (contracts, seconds) = (port.contracts.len(), started.elapsed().as_secs_f32());
        eprintln!(
            "{}: {contracts} contracts hold ({seconds:.1} s), {} conditions",
            port.suite,
            senders.len() - before
        );
    }
    Ok(senders)
}

/// Runs the contracts that send each condition again, for each of its mutations. Returns the mutations that no contract
/// notices and that are not in the list, and those in the list that one does.
async fn mutate(worlds: &Worlds<'_>, mutator: &Mutator, senders: &Senders) -> anyhow::Result<Vec<String>> {
    let mutations: Vec<Mutation> = senders.keys().flat_map(Condition::mutations).collect();
    let (mut noticed, mut superfluous, mut failures) = (0, 0, Vec::new());
    for (number, mutation) in (1..).zip(&mutations) {
        let started = Instant::now();
        let mut notice = None;
        for (suite, contract) in senders.get(&mutation.condition).into_iter().flatten() {
            mutator.select(Some(mutation.clone()));
            let violation = violation(worlds, suite, contract).await?;
            mutator.select(None);
            if let Some(error) = violation {
                notice = Some((format!("{suite}::{contract}"), error));
                break;
            }
        }
        let known = SUPERFLUOUS.iter().find(|known| known.describes(mutation));
        let seconds = started.elapsed().as_secs_f32();
        let result = match (&notice, known) {
            (Some((contract, error)), None) => {
                noticed += 1;
                format!("noticed by {contract}: {}", error.chars().take(120).collect::<String>())
            }
            (None, Some(known)) => {
                superfluous += 1;
                format!("superfluous: {}", known.reason)
            }
            (None, None) => {
                failures.push(format!("no contract notices the mutation {mutation}"));
                "NOT NOTICED".to_owned()
            }
            (Some((contract, _)), Some(_)) => {
                failures.push(format!("{contract} notices the mutation {mutation}: remove it from the list"));
                format!("NOTICED by {contract}")
            }
        };
        eprintln!("[{number}/{}] {mutation} ({seconds:.1} s)\n    {result}", mutations.len());
    }
    eprintln!(
        "{} conditions, {} mutations: {noticed} noticed by a contract, {superfluous} superfluous, {} failures",
        senders.len(),
        mutations.len(),
        failures.len()
    );
    Ok(failures)
}
