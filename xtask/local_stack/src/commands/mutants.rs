//! `cargo xtask mutants`

use std::process::Command;

use terminal::{signals, ui};
use xtask::process::{cargo, run_visible};
use xtask::tools::Tools;

use super::end_to_end::{Running, set_environment};
use crate::emulator::Emulator;
use crate::instance::Instance;

/// The test that drops the conditions, in the test target `stack`.
const CONDITIONS_TEST: &str = "contracts::conditions::each_condition_is_needed_by_a_contract";

/// Mutate the system mechanically, and require that a test notices each mutation.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Drop each condition of the adapters' requests to DynamoDB and S3, and each of its clauses
    ///
    /// The contracts of the ports run on the emulator of the stack of `cargo xtask test`, which is always stopped. First
    /// the conditions that the adapters send are recorded. Then the contracts that send a condition run without it, until
    /// one of them is violated. Fails if no contract notices a mutation, unless it is in the list of superfluous
    /// conditions (tests/contracts/src/conditions.rs), or if no contract sends a condition that is in the source.
    Conditions {
        /// Only the conditions of adapters whose path contains this, such as `inventory`.
        #[arg(long, value_name = "TEXT")]
        only: Option<String>,
    },
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    signals::catch()?;
    let What::Conditions { only } = &args.what;
    ui::heading("Conditions: each is dropped, and a contract has to notice");
    let instance = Instance::test();
    // An interrupted run may have left a stack behind.
    super::down::stop(&instance)?;
    super::up::delete_state(&instance)?;
    instance.create_dirs()?;
    let installation = Tools::start_installation();
    run_visible(tests().arg("--no-run"))?;
    let tools = installation.join()?;
    let stack = Running(instance);
    Emulator::new(&stack.0).start(&tools)?;
    let mut command = tests();
    command.args(["--", "--ignored", "--exact", CONDITIONS_TEST, "--nocapture"]);
    // The contracts create what they need: nothing is deployed.
    set_environment(&mut command, &stack.0).env("E2E_OUTPUTS", "{}").env("E2E_API_URL", stack.0.endpoint());
    let tested = run_visible(command.env("MUTANTS_ONLY", only.as_deref().unwrap_or_default()));
    let stopped = super::down::stop(&stack.0);
    tested.and(stopped.map(drop))
}

/// Not `--package end_to_end`: cargo would select other features for that package alone.
fn tests() -> Command {
    let mut command = cargo();
    command.args(["test", "--workspace", "--test", "stack"]);
    command
}
