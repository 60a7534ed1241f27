//! `cargo xtask test`

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use serde_json::Value;

use super::up::{OrdersRun, Profile};
use crate::aws::{LOCAL_KEY, LOCAL_REGION};
use crate::binaries::Binaries;
use crate::instance::{self, Instance, repo_root};
use crate::process::{self, brief, cargo};
use crate::stack::Stack;
use crate::tools::{Tools, lint_tools};
use crate::ui::{self, DIM};
use crate::{contract, names, release, signals, token};

/// Check everything: format, lints, docs, tests, the template, and the whole system from the outside.
///
/// The last step starts a local stack of its own, on ports 4586 to 4590, and stops it again whatever happens.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these steps, in this order; all of them if none is named.
    #[arg(value_enum)]
    steps: Vec<Step>,
    /// Of the end-to-end tests, only those whose name contains this, such as `webhooks::`. Leaves out the rest of that
    /// step.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Of the end-to-end tests: run the functions as they are deployed, built by `sam build`'s command.
    #[arg(long)]
    release: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Step {
    /// cargo fmt --check
    Format,
    /// cargo clippy, warnings denied
    Lints,
    /// cargo doc, warnings denied
    Docs,
    /// cargo test, all but the end-to-end tests
    Tests,
    /// sam validate, cfn-lint with all its rules, what AWS makes of the template, checkov
    Template,
    /// The end-to-end tests and the contract (schemathesis), against a local stack; and every kind of event
    EndToEnd,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    signals::catch()?;
    let steps = if args.steps.is_empty() { Step::value_variants() } else { args.steps.as_slice() };
    let mut times: Vec<(Step, Duration)> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        ui::heading(&format!("{}/{} {}", index + 1, steps.len(), step.name()));
        let started = Instant::now();
        let result = step.run(args);
        times.push((*step, started.elapsed()));
        if let Err(error) = result {
            summarize(&times, true);
            bail!("{error:#}\nStep `{0}` failed. Run it alone: cargo xtask test {0}", step.name());
        }
    }
    summarize(&times, false);
    ui::success("all is well");
    Ok(())
}

fn summarize(times: &[(Step, Duration)], last_failed: bool) {
    ui::heading("Steps");
    for (index, (step, took)) in times.iter().enumerate() {
        let line = format!("{:12} {DIM}{:>9}{DIM:#}", step.name(), ui::seconds(*took));
        if last_failed && index + 1 == times.len() {
            anstream::println!("{}✗{:#} {line}", ui::RED, ui::RED);
        } else {
            ui::success(&line);
        }
    }
}

impl Step {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    fn run(self, args: &Args) -> anyhow::Result<()> {
        match self {
            Self::Format => visible(cargo().args(["fmt", "--all", "--check"])),
            Self::Lints => {
                visible(cargo().args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))
            }
            Self::Docs => visible(
                cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "--deny warnings"),
            ),
            Self::Tests => {
                let mut tests = cargo();
                // The simulation makes millions of errors on purpose: a backtrace in each would take most of its time.
                tests.args(["test", "--workspace"]).env("RUST_LIB_BACKTRACE", "0");
                // They need what the steps behind this one make.
                for package in ["end_to_end", "deployment", "artefacts"] {
                    tests.args(["--exclude", package]);
                }
                visible(&mut tests)
            }
            Self::Template => template(),
            Self::EndToEnd => end_to_end(args.only.as_deref(), Profile::of(args.release)),
        }
    }
}

/// Runs a command whose output the person sees.
pub(super) fn visible(command: &mut Command) -> anyhow::Result<()> {
    anstream::println!("{DIM}$ {}{DIM:#}", brief(command));
    let status = process::run(command)?;
    if !status.success() {
        bail!("`{}` failed ({status}), see above", brief(command));
    }
    Ok(())
}

/// Looks at the template as it is written, and at what AWS makes of it.
fn template() -> anyhow::Result<()> {
    let tools = Tools::ensure()?;
    // Some checks depend on the region; none of them calls AWS.
    visible(tools.sam()?.env("AWS_DEFAULT_REGION", LOCAL_REGION).args(["validate", "--lint"]))?;
    let mut lint = tools.cfn_lint();
    // Also what is only for information. What is left out stands in the template's Metadata, with the reason.
    visible(lint.args(["--include-checks", "I", "--regions", LOCAL_REGION, "--", "template.yaml"]))?;
    let mut tests = cargo();
    tests.args(["test", "--workspace", "--test", "transformed"]).env("SAM_PYTHON", tools.python());
    visible(&mut tests)?;
    let transformed = instance::local_dir().join("transformed.json");
    transform(&tools, &transformed)?;
    let mut checkov = Command::new(lint_tools()?.join("checkov"));
    checkov
        .current_dir(repo_root())
        .args(["--config-file", "xtask/checkov.yaml", "--file"])
        .arg(&transformed);
    visible(&mut checkov)
}

/// Writes the template as SAM's translator makes it for AWS.
fn transform(tools: &Tools, to: &Path) -> anyhow::Result<()> {
    let asked = serde_json::json!({ "template": repo_root().join("template.yaml"), "cases": { "aws": {} } });
    let input = to.with_extension("input.json");
    std::fs::write(&input, asked.to_string())?;
    let mut python = Command::new(tools.python());
    python.arg(repo_root().join("xtask/src/python/transform_template.py")).stdin(File::open(&input)?);
    let output = python.output()?;
    let problem = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "SAM refuses the template: {problem}");
    let cases: Value = serde_json::from_slice(&output.stdout)?;
    Ok(std::fs::write(to, cases.get("aws").unwrap_or(&Value::Null).to_string())?)
}

fn end_to_end(only: Option<&str>, profile: Profile) -> anyhow::Result<()> {
    let instance = Instance::test();
    // What an interrupted run left, which could not clean up any more.
    super::down::stop(&instance)?;
    super::up::forget(&instance)?;
    let stack = Running(instance);
    let tested = match only {
        Some(only) => test_some(&stack.0, only, profile),
        None => test_both_ways(&stack.0, profile),
    };
    let stopped = super::down::stop(&stack.0);
    tested.and(stopped.map(drop))
}

/// The tests of what a client sees: those that pass alike wherever the order service runs.
const OF_CLIENTS: [&str; 2] = ["api::", "front_door::"];

/// All tests with the order service on Lambda; then those of clients once more, with a container in its place.
fn test_both_ways(instance: &Instance, profile: Profile) -> anyhow::Result<()> {
    let binaries = super::up::start(instance, OrdersRun::OnLambda, profile)?;
    visible(&mut test_command(instance, &binaries, &[])?)?;
    ui::heading("The firewall, asked about each request that came in");
    visible(
        cargo()
            .args(["test", "--workspace", "--test", "firewall", "--", "recorded"])
            .env("FIREWALL_REQUESTS", instance.gateway_log()),
    )?;
    ui::heading("Every kind of event, given to each function");
    artefacts(&binaries, profile)?;
    ui::heading("The contract, tried by a stranger, by staff and by a partner");
    contract_test(instance)?;
    ui::heading("The same front door, with the order service in a container");
    let binaries = super::up::start(instance, OrdersRun::InContainer, profile)?;
    visible(&mut test_command(instance, &binaries, &OF_CLIENTS)?)
}

/// Gives every kind of event to the binaries, and has one of them panic.
fn artefacts(binaries: &Binaries, profile: Profile) -> anyhow::Result<()> {
    let folder = match profile {
        Profile::Dev => binaries.dir()?.to_path_buf(),
        Profile::Release => {
            release::build_package(&Tools::ensure()?, "artefacts")?;
            release::lambda_dir()
        }
    };
    visible(cargo().args(["test", "--workspace", "--test", "artefacts"]).env("ARTEFACTS_DIR", folder))
}

fn test_some(instance: &Instance, only: &str, profile: Profile) -> anyhow::Result<()> {
    let binaries = super::up::start(instance, OrdersRun::OnLambda, profile)?;
    visible(&mut test_command(instance, &binaries, &[only])?)
}

/// Holds the stack against the contract, as somebody who runs the shop and as a partner.
fn contract_test(instance: &Instance) -> anyhow::Result<()> {
    let stack = Stack::local(instance.clone())?;
    let tokens =
        contract::Tokens { staff: Some(token::staff(&stack)?), partner: Some(token::partner(&stack)?) };
    contract::test(&stack.api_url()?, &tokens)
}

/// What the end-to-end tests are told, in the environment. `only` names those whose path contains it; all, where it
/// names none.
fn test_command(instance: &Instance, binaries: &Binaries, only: &[&str]) -> anyhow::Result<Command> {
    let outputs =
        Stack::local(instance.clone())?.outputs().context("the stack for the tests is not deployed")?;
    let webhook_secret = outputs.get(names::WEBHOOK_SECRET_OUTPUT).cloned().unwrap_or_default();
    let api = outputs.get(names::API_URL_OUTPUT).context("the stack for the tests has no API")?;
    let mut command = cargo();
    // Not `--package end_to_end`: cargo would choose other features for that package alone, and compile all of
    // its dependencies once more.
    command.args(["test", "--workspace"]);
    for test in test_targets("end_to_end")? {
        command.args(["--test", &test]);
    }
    command.arg("--").args(only);
    command
        .env("E2E_API_URL", api)
        .env("E2E_OUTPUTS", serde_json::to_string(&outputs)?)
        .env("E2E_STACK_NAME", names::LOCAL_STACK)
        .env("E2E_EMULATOR_URL", instance.endpoint())
        .env("E2E_STRIPE_URL", instance.stand_in_url())
        .env("E2E_WEBHOOK_SECRET_ID", webhook_secret)
        .env("E2E_WEBHOOK_RECEIVER", instance.receiver_address())
        .env("E2E_BINARIES_DIR", binaries.dir()?)
        .env("E2E_REPO_ROOT", repo_root())
        .env("AWS_ENDPOINT_URL", instance.endpoint())
        .env("AWS_ACCESS_KEY_ID", LOCAL_KEY)
        .env("AWS_SECRET_ACCESS_KEY", LOCAL_KEY)
        .env("AWS_REGION", LOCAL_REGION)
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_SESSION_TOKEN");
    Ok(command)
}

/// The names of the integration tests of a package.
fn test_targets(package: &str) -> anyhow::Result<Vec<String>> {
    let output = cargo().args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("`cargo metadata` failed")?;
    let list =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let names: Vec<String> = list(&metadata, "packages")
        .iter()
        .filter(|found| found.get("name").and_then(Value::as_str) == Some(package))
        .flat_map(|found| list(found, "targets"))
        .filter(|target| list(target, "kind").contains(&Value::from("test")))
        .filter_map(|target| target.get("name")?.as_str().map(str::to_owned))
        .collect();
    anyhow::ensure!(!names.is_empty(), "package {package} has no integration tests");
    Ok(names)
}

/// A stack that is stopped when this goes out of scope: also after an error, an interruption or a panic.
struct Running(Instance);

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = super::down::stop(&self.0) {
            ui::failure(&format!("{error:#}"));
        }
    }
}
