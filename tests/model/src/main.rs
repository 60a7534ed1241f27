//! `model`: explores the protocol, and prints counterexamples.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program prints to its terminal"
)]

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use model::check::{Counterexample, Limits, Outcome, Progress, check};
use model::drive::Protocol;
use model::mutation::Mutation;
use model::property::Property;
use model::report::{describe_final_state, describe_steps};
use model::scope::{Scope, Size};
use model::termination;
use strum::VariantArray;

/// Explores the protocol as a state machine over the domain rules that ship, and prints counterexamples.
///
/// Exits with 1 if the protocol violates a property, or if a mutation has no counterexample.
#[derive(Parser)]
#[command(name = "cargo xtask model", bin_name = "cargo xtask model", version)]
struct Arguments {
    /// How much to explore: less than a minute, some minutes, or up to the limit of memory.
    #[arg(long, value_enum, default_value = "small")]
    scope: SizeArg,
    /// Switch one protection off and search for the counterexample; "all" tries every mutation.
    #[arg(long, value_name = "NAME", conflicts_with = "scope")]
    mutation: Option<String>,
    /// List the scopes, properties and mutations.
    #[arg(long)]
    list: bool,
    /// The number of worker threads. With one, counterexamples are shortest and reproducible.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Skip the check that fault-free runs terminate.
    #[arg(long)]
    skip_termination: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum SizeArg {
    Small,
    Medium,
    Large,
}

impl From<SizeArg> for Size {
    fn from(size: SizeArg) -> Self {
        match size {
            SizeArg::Small => Self::Small,
            SizeArg::Medium => Self::Medium,
            SizeArg::Large => Self::Large,
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

/// Returns whether every property holds, or every mutation has a counterexample.
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
    let mutations: Vec<Mutation> = Mutation::VARIANTS
        .iter()
        .copied()
        .filter(|mutation| name == "all" || mutation.name() == name)
        .collect();
    anyhow::ensure!(!mutations.is_empty(), "unknown mutation {name}; --list shows all mutations");
    let mut found = true;
    for mutation in mutations {
        found &= explore_mutation(mutation)?;
    }
    Ok(found)
}

fn list() {
    for size in [SizeArg::Small, SizeArg::Medium, SizeArg::Large] {
        let name = size.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        println!("Scope {name}:");
        for scope in Size::from(size).scopes() {
            println!("  {}", scope.name);
        }
    }
    println!("Properties:");
    for property in Property::VARIANTS {
        println!("  {:22} {}", property.name(), property.statement());
    }
    println!("Mutations:");
    for mutation in Mutation::VARIANTS {
        println!(
            "  {:31} {} (violates {})",
            mutation.name(),
            mutation.description(),
            mutation.violates().name()
        );
    }
}

fn explore(scope: &Scope, size: Size, arguments: &Arguments) -> anyhow::Result<bool> {
    let limits = Limits { threads: arguments.threads, max_states: size.max_states(), stop_at: None };
    let outcome =
        check(Protocol::new(scope.clone(), None)?, limits, |progress| print_progress(scope, progress));
    println!("{}: {}", scope.name, format_progress(&outcome));
    for property in Property::VARIANTS {
        let broken = outcome.counterexamples.iter().find(|found| found.property == *property);
        let verdict = match (broken, outcome.complete) {
            (Some(_), _) => "DOES NOT HOLD",
            (None, true) => "holds",
            (None, false) => "holds as far as explored",
        };
        println!("  {:22} {verdict}", property.name());
    }
    println!("  outcomes reached       {}", outcome.outcomes.join(", "));
    let protocol = Protocol::new(scope.clone(), None)?;
    for found in &outcome.counterexamples {
        print_counterexample(&protocol, found);
    }
    let mut holds = outcome.counterexamples.is_empty();
    if outcome.complete && !arguments.skip_termination {
        match termination::check(&protocol) {
            Ok(termination) => println!(
                "  {:22} holds: at most {} steps until termination",
                "runs-terminate", termination.longest_path
            ),
            Err(error) => {
                holds = false;
                println!("  {:22} DOES NOT HOLD: {error:#}", "runs-terminate");
            }
        }
    }
    Ok(holds)
}

fn explore_mutation(mutation: Mutation) -> anyhow::Result<bool> {
    let (scope, stop_at) = (mutation.scope(), Some(mutation.violates()));
    let limits = Limits { threads: 1, max_states: None, stop_at };
    let outcome = check(Protocol::new(scope.clone(), Some(mutation))?, limits, |progress| {
        print_progress(&scope, progress);
    });
    println!("{} ({}): {}", mutation.name(), mutation.description(), format_progress(&outcome));
    let protocol = Protocol::new(scope, Some(mutation))?;
    let found = outcome.counterexamples.iter().find(|found| found.property == mutation.violates());
    match found {
        Some(found) => print_counterexample(&protocol, found),
        None => {
            println!("  NO COUNTEREXAMPLE to {}: nothing tests the protection", mutation.violates().name());
        }
    }
    Ok(found.is_some())
}

fn print_counterexample(protocol: &Protocol, found: &Counterexample) {
    println!("  Counterexample to {} ({}):", found.property.name(), found.property.statement());
    for line in describe_steps(protocol, &found.actions) {
        println!("    {line}");
    }
    for line in describe_final_state(protocol, &found.actions) {
        println!("    = {line}");
    }
}

fn format_progress(outcome: &Outcome) -> String {
    let Progress { states, unique, depth, elapsed } = outcome.progress;
    let suffix = if outcome.complete || !outcome.counterexamples.is_empty() { "" } else { ", incomplete" };
    format!(
        "{states} states explored, {unique} unique{suffix}, depth {depth}, {:.1} s",
        elapsed.as_secs_f64()
    )
}

fn print_progress(scope: &Scope, progress: Progress) {
    let Progress { states, unique, depth, .. } = progress;
    eprintln!("{}: {states} states explored, {unique} unique, depth {depth}", scope.name);
}
