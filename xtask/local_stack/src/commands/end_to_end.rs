//! `end-to-end`: a step of `cargo xtask test`

use std::process::Command;

use anyhow::Context as _;
use shopctl::aws::{LOCAL_KEY, LOCAL_REGION};
use shopctl::names;
use terminal::{signals, ui};
use xtask::functions::Selection;
use xtask::paths::repo_root;
use xtask::process::{cargo, run_visible};
use xtask::release;
use xtask::tools::Tools;
use xtask::workspace::targets;

use super::up::{OrdersHost, Profile};
use crate::binaries::Binaries;
use crate::instance::{Instance, LOCAL_STACK};
use crate::{contract, token};

/// Test the whole system on a dedicated local stack, which is always stopped.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only the tests whose name contains this.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Run release builds of the functions.
    #[arg(long)]
    release: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    signals::catch()?;
    let (only, profile) = (args.only.as_deref(), Profile::from_flag(args.release));
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
const CLIENT_TESTS: [&str; 2] = ["access::", "api::"];

/// Runs all tests with the order service on Lambda, then those of clients again with it as a container.
fn test_all(instance: &Instance, profile: Profile) -> anyhow::Result<()> {
    let binaries = super::up::start(instance, OrdersHost::Lambda, profile, Selection::All)?;
    run_visible(&mut test_command(instance, &[])?)?;
    ui::heading("Firewall: the rules, applied to all recorded requests");
    run_visible(
        cargo()
            .args(["test", "--workspace", "--test", "firewall", "--", "recorded"])
            .env("FIREWALL_REQUESTS", instance.gateway_log()),
    )?;
    ui::heading("Artefacts: every kind of event, sent to each function");
    artefacts(&binaries, profile)?;
    ui::heading("Contract: requests without credentials, of staff, of a customer and of a partner");
    contract_test(instance)?;
    ui::heading("Container: the tests of clients, with the order service as a container");
    // Also tests that a stack resumes from its saved state after `cargo xtask down`.
    super::down::stop(instance)?;
    super::up::start(instance, OrdersHost::Container, profile, Selection::All)?;
    run_visible(&mut test_command(instance, &CLIENT_TESTS)?)
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
    super::up::start(instance, OrdersHost::Lambda, profile, Selection::All)?;
    run_visible(&mut test_command(instance, &[only])?)
}

/// Tests the stack against the contract, without credentials, as a staff user, a customer and a partner.
fn contract_test(instance: &Instance) -> anyhow::Result<()> {
    let stack = instance.open()?;
    let tokens = contract::Tokens {
        staff: Some(token::staff_token(&stack)?),
        customer: Some(token::token_of_paying_customer(&stack)?),
        partner: Some(token::create_partner(&stack)?),
    };
    contract::test(&stack.api_url()?, &tokens)
}

/// The command that runs the end-to-end tests, with their configuration in the environment. `only` selects
/// tests whose path contains one of the texts; all if it is empty.
fn test_command(instance: &Instance, only: &[&str]) -> anyhow::Result<Command> {
    let outputs = instance.open()?.outputs().context("the test stack is not deployed")?;
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
    set_environment(&mut command, instance)
        .env("E2E_API_URL", api)
        .env("E2E_OUTPUTS", serde_json::to_string(&outputs)?)
        .env("E2E_WEBHOOK_SECRET_ID", webhook_secret);
    Ok(command)
}

/// Sets the part of the configuration that does not depend on the deployment.
pub(super) fn set_environment<'a>(command: &'a mut Command, instance: &Instance) -> &'a mut Command {
    command
        .env("E2E_STACK_NAME", LOCAL_STACK)
        .env("E2E_EMULATOR_URL", instance.endpoint())
        .env("E2E_STRIPE_URL", instance.stand_in_url())
        .env("E2E_WEBHOOK_RECEIVER", instance.receiver_address())
        .env("E2E_REPO_ROOT", repo_root())
        .env("AWS_ENDPOINT_URL", instance.endpoint())
        .env("AWS_ACCESS_KEY_ID", LOCAL_KEY)
        .env("AWS_SECRET_ACCESS_KEY", LOCAL_KEY)
        .env("AWS_REGION", LOCAL_REGION)
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_SESSION_TOKEN")
}

/// The names of the integration tests of a package.
fn test_targets(package: &str) -> anyhow::Result<Vec<String>> {
    let targets = targets()?.into_iter();
    let names: Vec<String> = targets
        .filter(|target| target.package == package && target.kind == "test")
        .map(|target| target.name)
        .collect();
    anyhow::ensure!(!names.is_empty(), "package {package} has no integration tests");
    Ok(names)
}

/// A stack that is stopped when dropped: also after an error, an interruption or a panic.
pub(super) struct Running(pub(super) Instance);

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = super::down::stop(&self.0) {
            ui::failure(&format!("{error:#}"));
        }
    }
}
