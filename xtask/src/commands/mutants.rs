//! `cargo xtask mutants`

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use terminal::process::{command_text, run as run_process};
use terminal::signals;
use terminal::ui::{self, BOLD, DIM};
use xtask::paths::{display_path, local_dir, repo_root};
use xtask::process::{cargo, run_visible};
use xtask::programs;
use xtask::tools::lock_installation;

/// The version of [cargo-mutants](https://mutants.rs) that is installed.
const CARGO_MUTANTS: &str = "27.1.0";
/// The document that lists the mutants that no test detects, each with its reason.
const SURVIVORS: &str = "docs/MUTANTS.md";
/// The packages whose tests run what other packages implement. They get what a package's own tests do not detect.
const SYSTEM_TESTS: [&str; 5] = ["alarms", "contracts", "invariants", "model", "simulation"];

/// Change the code in one place at a time and list the changes that no test detects.
///
/// Each change (a mutant) is compiled and tested by itself, first with the tests of its package, then with the model, the
/// simulation, the contracts and the alarms. docs/MUTANTS.md lists the known survivors; the command fails for any other
/// one, and for one in the list that is detected now. `mutants conditions` changes the requests of the adapters instead.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// Only mutants of these packages. The default is all that .cargo/mutants.toml selects.
    #[arg(long = "package", short, value_name = "NAME")]
    packages: Vec<String>,
    /// Only mutants in lines that differ from this commit, such as `origin/main`.
    #[arg(long, value_name = "COMMIT")]
    diff: Option<String>,
    /// Only a part of the mutants, such as `0/8` for the first of eight.
    #[arg(long, value_name = "K/N")]
    shard: Option<String>,
    /// Skip the model, the simulation, the contracts and the alarms.
    #[arg(long)]
    own_tests_only: bool,
    /// List the mutants instead of testing them.
    #[arg(long)]
    list: bool,
}

#[derive(clap::Subcommand)]
enum What {
    /// Drop each condition of the adapters' requests to DynamoDB and S3: a contract has to fail.
    Conditions {
        /// Only the conditions of adapters whose path contains this, such as `inventory`.
        #[arg(long, value_name = "TEXT")]
        only: Option<String>,
    },
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    signals::catch()?;
    if let Some(What::Conditions { only }) = &args.what {
        return conditions(only.as_deref());
    }
    let program = install()?;
    let mut selection = vec!["--output".to_owned(), output().display().to_string()];
    for package in &args.packages {
        selection.extend(["--package".to_owned(), package.clone()]);
    }
    if let Some(shard) = &args.shard {
        selection.extend(["--shard".to_owned(), shard.clone()]);
    }
    fs::create_dir_all(output())?;
    if let Some(commit) = &args.diff {
        selection.extend(["--in-diff".to_owned(), diff(commit)?.display().to_string()]);
    }
    if args.list {
        return run_visible(mutants(&program).args(selection).arg("--list"));
    }
    ui::heading("1/2 the tests of each package");
    let mut outcomes = test(mutants(&program).args(&selection))?;
    let survivors = outcomes.values().filter(|outcome| outcome.survived()).count();
    if survivors > 0 && !args.own_tests_only {
        ui::heading(&format!(
            "2/2 {survivors} survivors, with the model, the simulation, the contracts and the alarms"
        ));
        let mut system = mutants(&program);
        system.args(&selection).arg("--iterate").args(["--test-package", &SYSTEM_TESTS.join(",")]);
        outcomes.extend(test(&mut system)?);
    }
    summarize(&outcomes);
    compare(&outcomes, args.diff.is_none() && args.shard.is_none() && !args.own_tests_only)
}

/// Runs the program that knows the local stack.
fn conditions(only: Option<&str>) -> anyhow::Result<()> {
    let mut options = vec!["mutants", "conditions"];
    options.extend(only.into_iter().flat_map(|text| ["--only", text]));
    let status = programs::run("local-stack", &options)?;
    ensure!(status.success(), "`local-stack {}` failed ({status}), see above", options.join(" "));
    Ok(())
}

/// The folder of cargo-mutants' results, which are in `mutants.out` in it.
fn output() -> PathBuf {
    local_dir().join("mutants")
}

/// Installs cargo-mutants, unless it is installed.
fn install() -> anyhow::Result<PathBuf> {
    let root = local_dir().join("tools").join(format!("cargo-mutants-{CARGO_MUTANTS}"));
    let program = root.join("bin/cargo-mutants");
    let _lock = lock_installation(&local_dir().join("tools"), "cargo-mutants")?;
    if !program.exists() {
        ui::note(
            "installing cargo-mutants into .local/tools, the first time only: it compiles for some minutes",
        );
        let version = format!("cargo-mutants@{CARGO_MUTANTS}");
        run_visible(cargo().args(["install", "--locked", &version, "--root"]).arg(&root))?;
    }
    Ok(program)
}

/// cargo-mutants with a target directory that is kept, so that dependencies are compiled once. The variable disables
/// the backtraces of the simulation's expected errors, which would take most of its time.
fn mutants(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(repo_root()).arg("mutants").args(["--colors", "always", "--no-shuffle"]);
    command.env("CARGO_TARGET_DIR", output().join("target")).env("RUST_LIB_BACKTRACE", "0");
    command
}

fn diff(commit: &str) -> anyhow::Result<PathBuf> {
    let diff = Command::new("git").current_dir(repo_root()).args(["diff", commit, "--"]).output()?;
    let errors = String::from_utf8_lossy(&diff.stderr);
    ensure!(diff.status.success(), "`git diff {commit}` failed: {errors}");
    let file = output().join("change.diff");
    fs::write(&file, diff.stdout)?;
    Ok(file)
}

/// What happened to a mutant.
struct Outcome {
    package: String,
    summary: String,
}

impl Outcome {
    fn survived(&self) -> bool {
        self.summary == "MissedMutant"
    }
}

/// Runs cargo-mutants and returns what happened to each mutant, by its name.
fn test(command: &mut Command) -> anyhow::Result<BTreeMap<String, Outcome>> {
    anstream::println!("{DIM}$ {}{DIM:#}", command_text(command));
    let results = output().join("mutants.out/outcomes.json");
    if results.exists() {
        fs::remove_file(&results)?;
    }
    let status = run_process(command)?;
    // 2: mutants survived. 3: tests of mutants timed out, which counts as detected.
    if !matches!(status.code(), Some(0 | 2 | 3)) {
        bail!(
            "cargo-mutants failed ({status}), see above and {}",
            display_path(&output().join("mutants.out"))
        );
    }
    // Without a mutant, there is no file.
    let Ok(text) = fs::read(&results) else { return Ok(BTreeMap::new()) };
    parse(&serde_json::from_slice(&text)?)
}

fn parse(results: &Value) -> anyhow::Result<BTreeMap<String, Outcome>> {
    let outcomes = results["outcomes"].as_array().context("outcomes.json contains no outcomes")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mutants = outcomes.iter().filter_map(|outcome| Some((outcome, outcome["scenario"].get("Mutant")?)));
    let outcome = |outcome: &Value, mutant: &Value| Outcome {
        package: text(&mutant["package"]),
        summary: text(&outcome["summary"]),
    };
    Ok(mutants.map(|(result, mutant)| (text(&mutant["name"]), outcome(result, mutant))).collect())
}

/// Prints how many mutants of each package there were, and what happened to them.
fn summarize(outcomes: &BTreeMap<String, Outcome>) {
    let mut packages: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for outcome in outcomes.values() {
        *packages.entry(&outcome.package).or_default().entry(&outcome.summary).or_default() += 1;
    }
    ui::heading("Mutants");
    anstream::println!(
        "{BOLD}{:20} {:>8} {:>8} {:>13} {:>9}{BOLD:#}",
        "package",
        "detected",
        "survived",
        "do not compile",
        "timed out"
    );
    for (package, counts) in packages {
        let count = |summary: &str| counts.get(summary).copied().unwrap_or_default();
        anstream::println!(
            "{package:20} {:>8} {:>8} {:>14} {:>9}",
            count("CaughtMutant"),
            count("MissedMutant"),
            count("Unviable"),
            count("Timeout")
        );
    }
}

/// Compares the survivors with the known ones. `is_complete` is whether all mutants of the packages were tested.
fn compare(outcomes: &BTreeMap<String, Outcome>, is_complete: bool) -> anyhow::Result<()> {
    let path = repo_root().join(SURVIVORS);
    let known = known(&fs::read_to_string(&path).with_context(|| format!("cannot read {SURVIVORS}"))?);
    let survived: BTreeSet<String> = outcomes
        .iter()
        .filter(|(_, outcome)| outcome.survived())
        .map(|(name, _)| stable_name(name))
        .collect();
    let detected: BTreeSet<String> = outcomes
        .iter()
        .filter(|(_, outcome)| !outcome.survived())
        .map(|(name, _)| stable_name(name))
        .collect();
    let new: Vec<&String> = survived.difference(&known).collect();
    for name in &new {
        ui::failure(&format!("no test detects: {name}"));
    }
    let stale: Vec<&String> =
        known.iter().filter(|name| detected.contains(*name) && !survived.contains(*name)).collect();
    if is_complete {
        for name in &stale {
            ui::failure(&format!("a test detects it now, remove it from {SURVIVORS}: {name}"));
        }
    }
    if !new.is_empty() || is_complete && !stale.is_empty() {
        bail!(
            "{} new survivors. Write a test that detects each, or list it in {SURVIVORS} with the reason why none can",
            new.len()
        );
    }
    ui::success("no survivor that is not listed");
    Ok(())
}

/// The name of a mutant without its line and column, which change with every edit of its file.
fn stable_name(name: &str) -> String {
    let mut parts = name.splitn(4, ':');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(file), Some(_), Some(_), Some(change)) => format!("{file}: {}", change.trim()),
        _ => name.to_owned(),
    }
}

/// The mutants that the document lists: the code at the start of each item of its lists.
fn known(document: &str) -> BTreeSet<String> {
    let items = document.lines().filter_map(|line| line.strip_prefix("- `")?.split_once('`'));
    items.map(|(name, _)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "shared/domain/src/money.rs:47:9: replace Money::cents -> i64 with 0";

    fn outcomes(summary: &str) -> BTreeMap<String, Outcome> {
        let mutant =
            serde_json::json!({ "name": NAME, "package": "domain", "file": "shared/domain/src/money.rs" });
        let results = serde_json::json!({ "outcomes": [
            { "scenario": "Baseline", "summary": "Success" },
            { "scenario": { "Mutant": mutant }, "summary": summary },
        ] });
        parse(&results).unwrap()
    }

    #[test]
    fn survivors_are_those_that_no_test_detects() {
        for (summary, survived) in [("MissedMutant", true), ("CaughtMutant", false), ("Timeout", false)] {
            let outcomes = outcomes(summary);
            assert_eq!(outcomes.len(), 1);
            assert_eq!(outcomes[NAME].survived(), survived, "{summary}");
            assert_eq!(outcomes[NAME].package, "domain");
        }
        assert!(compare(&outcomes("MissedMutant"), true).is_err());
        assert!(compare(&outcomes("CaughtMutant"), true).is_ok());
    }

    #[test]
    fn known_survivors_have_no_line_numbers() {
        let name = stable_name(NAME);
        assert_eq!(name, "shared/domain/src/money.rs: replace Money::cents -> i64 with 0");
        let document = format!("# Mutants\n\n- `{name}`: nothing calls it.\n  `no item`\n");
        assert_eq!(known(&document), BTreeSet::from([name]));
    }

    #[test]
    fn every_known_survivor_is_in_a_file_that_exists() {
        let document = fs::read_to_string(repo_root().join(SURVIVORS)).unwrap();
        for name in known(&document) {
            let (file, _) = name.split_once(": ").unwrap();
            assert!(repo_root().join(file).is_file(), "{name}");
        }
    }
}
