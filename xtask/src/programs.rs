//! The other programs of this workspace, which `cargo xtask` builds when they are needed: the AWS SDK takes minutes
//! to compile, and most commands do without it.

use std::ffi::OsStr;
use std::process::{Command, ExitStatus};

use anyhow::{Context as _, ensure};
use terminal::{process, signals};

use crate::functions::{STAND_IN, Selection};
use crate::process::cargo;

/// A command that another program runs, with its own options.
pub struct Forwarded {
    /// The name of the command.
    pub name: &'static str,
    /// The binary that runs it.
    pub program: Program,
    /// Its description for `--help`.
    pub about: &'static str,
}

/// How a program is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `local-stack`, with the command as its first argument.
    LocalStack,
    /// A program for this command alone, of the same name.
    Own,
}

/// All commands that other programs run.
pub const FORWARDED: [Forwarded; 21] = [
    local("up", "Start the whole system on this machine, or deploy what changed"),
    local("down", "Stop the local stack. Its state is kept for the next `up`"),
    local("status", "Show which parts of the local stack are running"),
    local(
        "demo",
        "Watch five orders on the local stack: one without problems, and four with typical failures",
    ),
    local("order", "Place an order and follow it until it is final"),
    local("timeline", "Show the history of an order"),
    local("trace", "Show the traces of an order: what caused what, and how long it took"),
    local("dlq", "Inspect, redrive or discard messages in dead-letter queues"),
    local("audit", "Check every invariant on all data of a stack. Read-only"),
    local("search", "Maintain the search index"),
    local("env", "Print the addresses that a client needs, for a shell; or the variables of the functions"),
    local("invoke", "Invoke functions with their sample events, with `sam local invoke`"),
    local("verify", "Verify a deployed stack: end-to-end tests that work on any stack, and an audit"),
    local("remove", "Delete a stack and its data"),
    local("chaos", "Place orders on a stack of its own while faults are injected, and check the result"),
    own(
        "simulate",
        "Run the functions in virtual time with faults at any call: thousands of seeds, or one with its trace",
    ),
    own("model", "Explore the protocol with a model checker, or a variant with one protection switched off"),
    own("catalogue", "Generate the event catalogue (docs/EVENTS.md, docs/schemas) and docs/STATES.md"),
    own(
        "contract",
        "Generate the API contract from the routes: docs/openapi.json, docs/API.md, the reference",
    ),
    own("alarms", "Generate docs/ALARMS.md: which fault raises which alarm"),
    own("template", "Generate template.yaml from the services' templates and the routes"),
];

const fn local(name: &'static str, about: &'static str) -> Forwarded {
    Forwarded { name, program: Program::LocalStack, about }
}

const fn own(name: &'static str, about: &'static str) -> Forwarded {
    Forwarded { name, program: Program::Own, about }
}

/// Builds a program and what it will build first, and runs it in the foreground. Cargo shows its progress on standard
/// error.
///
/// # Errors
/// When the program cannot be built or started.
pub fn run(program: &str, options: &[impl AsRef<OsStr>]) -> anyhow::Result<ExitStatus> {
    signals::catch()?;
    // Not with `--package`: cargo would select other features for that package alone, and compile all of its
    // dependencies again.
    let mut build = cargo();
    build.args(["build", "--bin", program]);
    if options.iter().map(AsRef::as_ref).eq([OsStr::new("demo")]) {
        // In one build with the program, which keeps all processors busy.
        for binary in Selection::Pipeline.functions()?.iter().map(String::as_str).chain([STAND_IN]) {
            build.args(["--bin", binary]);
        }
    }
    let built = process::run(&mut build)?;
    ensure!(built.success(), "{program} could not be built, see above");
    // Cargo puts it next to this program: both have the same profile.
    let path =
        std::env::current_exe().context("the path of this program is unknown")?.with_file_name(program);
    // The programs create millions of expected errors; capturing backtraces would take most of the time.
    process::run_foreground(Command::new(path).args(options).env("RUST_LIB_BACKTRACE", "0"))
}
