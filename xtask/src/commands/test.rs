//! `cargo xtask test`

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use serde_json::Value;

use super::up::{OrdersHost, Profile};
use crate::aws::{LOCAL_KEY, LOCAL_REGION};
use crate::binaries::Binaries;
use crate::instance::{self, Instance, repo_root};
use crate::process::{self, cargo, command_text};
use crate::stack::Stack;
use crate::tools::{Tools, lint_tools};
use crate::ui::{self, DIM};
use crate::{contract, names, release, signals, token};

/// Run all checks: format, lints, docs, tests, the template, and end-to-end tests of the whole system.
///
/// The last step starts a dedicated local stack on ports 4586 to 4590, and always stops it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only these steps, in this order. The default is all.
    #[arg(value_enum)]
    steps: Vec<Step>,
    /// Of the end-to-end tests, run only those whose name contains this, such as `webhooks::`. Skips the rest
    /// of that step.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// In the end-to-end tests, run the functions as they are deployed, built with the command of `sam
    /// build`.
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
    /// cargo test, except the end-to-end tests
    Tests,
    /// sam validate, cfn-lint with all rules, tests of the transformed template, checkov
    Template,
    /// End-to-end tests and contract tests (schemathesis) on a local stack; every kind of event for every
    /// function
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
            bail!("{error:#}\nStep `{0}` failed. To run it alone: cargo xtask test {0}", step.name());
        }
    }
    summarize(&times, false);
    ui::success("all checks passed");
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
            Self::Format => run_visible(cargo().args(["fmt", "--all", "--check"])),
            Self::Lints => run_visible(cargo().args([
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "--deny",
                "warnings",
            ])),
            Self::Docs => run_visible(
                cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "--deny warnings"),
            ),
            Self::Tests => {
                let mut tests = cargo();
                // The simulation creates millions of expected errors; backtraces would take most of the time.
                tests.args(["test", "--workspace"]).env("RUST_LIB_BACKTRACE", "0");
                // These need what the later steps provide.
                for package in ["end_to_end", "deployment", "artefacts"] {
                    tests.args(["--exclude", package]);
                }
                run_visible(&mut tests)
            }
            Self::Template => template(),
            Self::EndToEnd => end_to_end(args.only.as_deref(), Profile::from_flag(args.release)),
        }
    }
}

/// Runs a command with its output on the terminal.
pub(super) fn run_visible(command: &mut Command) -> anyhow::Result<()> {
    anstream::println!("{DIM}$ {}{DIM:#}", command_text(command));
    let status = process::run(command)?;
    if !status.success() {
        bail!("`{}` failed ({status}), see above", command_text(command));
    }
    Ok(())
}

/// Checks the template as written, and as AWS transforms it.
fn template() -> anyhow::Result<()> {
    let tools = Tools::ensure()?;
    // Some checks depend on the region; none of them calls AWS.
    run_visible(tools.sam()?.env("AWS_DEFAULT_REGION", LOCAL_REGION).args(["validate", "--lint"]))?;
    let mut lint = tools.cfn_lint();
    // Including informational rules. Rules that are switched off are in the template's Metadata, with the
    // reasons.
    run_visible(lint.args(["--include-checks", "I", "--regions", LOCAL_REGION, "--", "template.yaml"]))?;
    let mut tests = cargo();
    tests.args(["test", "--workspace", "--test", "transformed"]).env("SAM_PYTHON", tools.python());
    run_visible(&mut tests)?;
    let transformed = instance::local_dir().join("transformed.json");
    transform(&tools, &transformed)?;
    let mut checkov = Command::new(lint_tools()?.join("checkov"));
    checkov
        .current_dir(repo_root())
        .args(["--config-file", "xtask/checkov.yaml", "--file"])
        .arg(&transformed);
    run_visible(&mut checkov)
}

/// Writes the template as SAM's translator transforms it for AWS.
fn transform(tools: &Tools, to: &Path) -> anyhow::Result<()> {
    let request =
        serde_json::json!({ "template": repo_root().join("template.yaml"), "cases": { "aws": {} } });
    let input = to.with_extension("input.json");
    std::fs::write(&input, request.to_string())?;
    let mut python = Command::new(tools.python());
    python.arg(repo_root().join("xtask/src/python/transform_template.py")).stdin(File::open(&input)?);
    let output = python.output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "SAM cannot transform the template: {errors}");
    let cases: Value = serde_json::from_slice(&output.stdout)?;
    Ok(std::fs::write(to, cases.get("aws").unwrap_or(&Value::Null).to_string())?)
}

fn end_to_end(only: Option<&str>, profile: Profile) -> anyhow::Result<()> {
    let instance = Instance::test();
    // An interrupted run may have left a stack behind.
    super::down::stop(&instance)?;
    super::up::delete_state(&instance)?;
    let stack = Running(instance);
    let tested = match only {
        Some(only) => test_some(&stack.0, only, profile),
        None => test_all(&stack.0, profile),
    };
    let stopped = super::down::stop(&stack.0);
    tested.and(stopped.map(drop))
}

/// The tests of the API as clients use it: they must also pass if the order service runs as a container.
const CLIENT_TESTS: [&str; 2] = ["api::", "front_door::"];

/// Runs all tests with the order service on Lambda, then those of clients again with it as a container.
fn test_all(instance: &Instance, profile: Profile) -> anyhow::Result<()> {
    let binaries = super::up::start(instance, OrdersHost::Lambda, profile)?;
    run_visible(&mut test_command(instance, &binaries, &[])?)?;
    ui::heading("Firewall: the rules, applied to all recorded requests");
    run_visible(
        cargo()
            .args(["test", "--workspace", "--test", "firewall", "--", "recorded"])
            .env("FIREWALL_REQUESTS", instance.gateway_log()),
    )?;
    ui::heading("Artefacts: every kind of event, sent to each function");
    artefacts(&binaries, profile)?;
    ui::heading("Contract: requests without credentials, of staff and of a partner");
    contract_test(instance)?;
    ui::heading("Container: the tests of clients, with the order service as a container");
    // Also tests that a stack resumes from its saved state after `cargo xtask down`.
    super::down::stop(instance)?;
    let binaries = super::up::start(instance, OrdersHost::Container, profile)?;
    run_visible(&mut test_command(instance, &binaries, &CLIENT_TESTS)?)
}

/// Tests the binaries with every kind of event, and with a panic in one of them.
fn artefacts(binaries: &Binaries, profile: Profile) -> anyhow::Result<()> {
    let folder = match profile {
        Profile::Dev => binaries.dir()?.to_path_buf(),
        Profile::Release => {
            release::build_package(&Tools::ensure()?, "artefacts")?;
            release::lambda_dir()
        }
    };
    run_visible(cargo().args(["test", "--workspace", "--test", "artefacts"]).env("ARTEFACTS_DIR", folder))
}

fn test_some(instance: &Instance, only: &str, profile: Profile) -> anyhow::Result<()> {
    let binaries = super::up::start(instance, OrdersHost::Lambda, profile)?;
    run_visible(&mut test_command(instance, &binaries, &[only])?)
}

/// Tests the stack against the contract, without credentials, as a staff user and as a partner.
fn contract_test(instance: &Instance) -> anyhow::Result<()> {
    let stack = Stack::local(instance.clone())?;
    let tokens = contract::Tokens {
        staff: Some(token::staff_token(&stack)?),
        partner: Some(token::create_partner(&stack)?),
    };
    contract::test(&stack.api_url()?, &tokens)
}

/// The command that runs the end-to-end tests, with their configuration in the environment. `only` selects
/// tests whose path contains one of the texts; all if it is empty.
fn test_command(instance: &Instance, binaries: &Binaries, only: &[&str]) -> anyhow::Result<Command> {
    let outputs = Stack::local(instance.clone())?.outputs().context("the test stack is not deployed")?;
    let webhook_secret = outputs.get(names::WEBHOOK_SECRET_OUTPUT).cloned().unwrap_or_default();
    let api = outputs.get(names::API_URL_OUTPUT).context("the test stack has no API")?;
    let mut command = cargo();
    // Not `--package end_to_end`: cargo would select other features for that package alone, and compile all
    // of its dependencies again.
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

/// A stack that is stopped when dropped: also after an error, an interruption or a panic.
struct Running(Instance);

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = super::down::stop(&self.0) {
            ui::failure(&format!("{error:#}"));
        }
    }
}
