//! `model`: explores the protocol, and tells what breaks it.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program talks on its terminal"
)]

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use model::calm;
use model::check::{Counterexample, Limits, Outcome, Progress, check};
use model::drive::Protocol;
use model::mutation::Mutation;
use model::property::Property;
use model::report::{standing, story};
use model::scope::{Scope, Size};

/// Explores the protocol as a state machine over the rules that ship, and prints what breaks it.
///
/// Exits with 1 when a property does not hold of the protocol, or when a mutation has no counterexample.
#[derive(Parser)]
#[command(name = "cargo xtask model", bin_name = "cargo xtask model", version)]
struct Arguments {
    /// How much to explore: under a minute, some minutes, or as far as memory goes.
    #[arg(long, value_enum, default_value = "small")]
    scope: Extent,
    /// Switch one protection off, and look for the counterexample; "all" tries each.
    #[arg(long, value_name = "NAME", conflicts_with = "scope")]
    mutation: Option<String>,
    /// List scopes, properties and mutations.
    #[arg(long)]
    list: bool,
    /// Worker threads. With one, counterexamples are the shortest, and the same each time.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Leave out the check that calm executions end.
    #[arg(long)]
    no_calm: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Extent {
    Small,
    Medium,
    Large,
}

impl From<Extent> for Size {
    fn from(extent: Extent) -> Self {
        match extent {
            Extent::Small => Self::Small,
            Extent::Medium => Self::Medium,
            Extent::Large => Self::Large,
        }
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("model: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// True when all is as it should be.
fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    if arguments.list {
        list();
        return Ok(true);
    }
    let Some(name) = &arguments.mutation else {
        let size = Size::from(arguments.scope);
        let mut holds = true;
        for scope in size.scopes() {
            holds &= explore(scope, size, arguments)?;
        }
        return Ok(holds);
    };
    let mutations: Vec<Mutation> =
        Mutation::ALL.into_iter().filter(|mutation| name == "all" || mutation.name() == name).collect();
    anyhow::ensure!(!mutations.is_empty(), "there is no mutation {name}: --list names them");
    let mut found = true;
    for mutation in mutations {
        found &= mutate(mutation)?;
    }
    Ok(found)
}

fn list() {
    for size in [Extent::Small, Extent::Medium, Extent::Large] {
        let name = size.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        println!("Scope {name}:");
        for scope in Size::from(size).scopes() {
            println!("  {}", scope.name);
        }
    }
    println!("Properties:");
    for property in Property::ALL {
        println!("  {:22} {}", property.name(), property.statement());
    }
    println!("Mutations:");
    for mutation in Mutation::ALL {
        println!("  {:28} {} (breaks {})", mutation.name(), mutation.what_is_off(), mutation.breaks().name());
    }
}

fn explore(scope: &Scope, size: Size, arguments: &Arguments) -> anyhow::Result<bool> {
    let limits = Limits { threads: arguments.threads, states: size.states(), until: None };
    let outcome = check(Protocol::new(scope.clone(), None)?, limits, |progress| follow(scope, progress));
    println!("{}: {}", scope.name, figures(&outcome));
    for property in Property::ALL {
        let broken = outcome.counterexamples.iter().find(|found| found.property == property);
        let verdict = match (broken, outcome.complete) {
            (Some(_), _) => "DOES NOT HOLD",
            (None, true) => "holds",
            (None, false) => "holds as far as explored",
        };
        println!("  {:22} {verdict}", property.name());
    }
    println!("  orders that end as     {}", outcome.endings.join(", "));
    let protocol = Protocol::new(scope.clone(), None)?;
    for found in &outcome.counterexamples {
        print(&protocol, found);
    }
    let mut holds = outcome.counterexamples.is_empty();
    if outcome.complete && !arguments.no_calm {
        match calm::check(&protocol) {
            Ok(calm) => println!("  {:22} holds: at most {} steps to rest", "calm-ends", calm.longest),
            Err(error) => {
                holds = false;
                println!("  {:22} DOES NOT HOLD: {error:#}", "calm-ends");
            }
        }
    }
    Ok(holds)
}

fn mutate(mutation: Mutation) -> anyhow::Result<bool> {
    let (scope, until) = (mutation.scope(), Some(mutation.breaks()));
    let limits = Limits { threads: 1, states: None, until };
    let outcome =
        check(Protocol::new(scope.clone(), Some(mutation))?, limits, |progress| follow(&scope, progress));
    println!("{} ({}): {}", mutation.name(), mutation.what_is_off(), figures(&outcome));
    let protocol = Protocol::new(scope, Some(mutation))?;
    let found = outcome.counterexamples.iter().find(|found| found.property == mutation.breaks());
    match found {
        Some(found) => print(&protocol, found),
        None => println!("  NO COUNTEREXAMPLE of {}: the protection is not tested", mutation.breaks().name()),
    }
    Ok(found.is_some())
}

fn print(protocol: &Protocol, found: &Counterexample) {
    println!("  Counterexample of {} ({}):", found.property.name(), found.property.statement());
    for line in story(protocol, &found.actions) {
        println!("    {line}");
    }
    for line in standing(protocol, &found.actions) {
        println!("    = {line}");
    }
}

fn figures(outcome: &Outcome) -> String {
    let Progress { states, unique, depth, elapsed } = outcome.progress;
    let bound =
        if outcome.complete || !outcome.counterexamples.is_empty() { "" } else { ", not all of them" };
    format!("{states} states explored, {unique} unique{bound}, depth {depth}, {:.1} s", elapsed.as_secs_f64())
}

fn follow(scope: &Scope, progress: Progress) {
    let Progress { states, unique, depth, .. } = progress;
    eprintln!("{}: {states} states explored, {unique} unique, depth {depth}", scope.name);
}
