//! `cargo xtask verify`

use std::path::PathBuf;

use anyhow::ensure;

use crate::api::random;
use crate::audit::{self, Promises};
use crate::instance::{local_dir, shown};
use crate::stack::Stack;
use crate::verify::{
    Cleaned, MADE, Made, PERMISSIONS, Verification, check_permissions, clean, preconditions, run_tests,
};
use crate::{duration, signals, ui};

/// Prove a deployed stack: run the end-to-end tests that any stack can take, audit it, and remove the test data.
///
/// With your AWS credentials and region, through the stack's front door. It places orders with Stripe's test cards and
/// refuses a stack whose Stripe key is a live one. Tests that need what only the local stack has are left out, and named
/// with the reason. Run against the local stack, it knows no more of that than of one on AWS.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Of the tests, only those whose name contains this, such as `gateway::`.
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Leave the test data where it is, to look at it. Remove it with `--clean`.
    #[arg(long)]
    keep: bool,
    /// Test nothing: remove the test data of an earlier run.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["only", "keep", "report"])]
    clean: Option<String>,
    /// Do not audit what the stack has written down.
    #[arg(long)]
    no_audit: bool,
    /// Also write the report to this file as Markdown, and beside it as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

pub(crate) fn run(stack: &str, args: &Args) -> anyhow::Result<()> {
    signals::catch()?;
    let stack = Stack::open(stack)?.into_remote();
    if let Some(run) = &args.clean {
        return clean_up(&stack, run);
    }
    let run = format!("{:08x}", random()? >> 32);
    ui::heading(&format!("Verify {}", stack.name));
    let facts = preconditions(&stack)?;
    facts.iter().for_each(|(name, value)| ui::field(name, value));
    ui::field("run", &run);
    let found = verify(&stack, run, facts, args);
    found.print();
    if let Some(file) = &args.report {
        found.write(file)?;
    }
    ui::heading("Result");
    ensure!(found.is_good(), "{} is not verified: {}", stack.name, found.summary());
    ui::success(&format!("{} is verified: {}", stack.name, found.summary()));
    Ok(())
}

fn verify(stack: &Stack, run: String, facts: Vec<(&'static str, String)>, args: &Args) -> Verification {
    let dir = run_dir(&run);
    let mut found = Verification {
        at: duration::now(),
        stack: facts,
        tests: Vec::new(),
        audit: None,
        cleaned: Cleaned::default(),
        errors: Vec::new(),
        run,
    };
    if args.only.is_empty() || args.only.iter().any(|only| PERMISSIONS.contains(only.as_str())) {
        let progress = ui::Progress::start("comparing the roles with the template");
        match check_permissions(stack) {
            Ok(result) => found.tests.push(result),
            Err(error) => found.errors.push(format!("the permissions: {error:#}")),
        }
        progress.done("compared the roles with the template");
    }
    ui::heading("The end-to-end tests");
    match run_tests(stack, &found.run, &dir, &args.only) {
        Ok(tests) => found.tests.extend(tests),
        Err(error) => found.errors.push(format!("{error:#}")),
    }
    if !args.no_audit && signals::check().is_ok() {
        let audited = audit::run(stack, Promises::Running { patience: None });
        match audited.and_then(|report| audit::print(stack, &report).map(|()| report)) {
            Ok(report) => found.audit = Some(report),
            Err(error) => found.errors.push(format!("the audit: {error:#}")),
        }
    }
    // Also after a request to stop: nothing is left behind that can be taken away.
    if args.keep {
        let clean = format!("cargo xtask verify --stack {} --clean {}", stack.name, found.run);
        found.cleaned.stays.push(format!("all of it, as you asked. Remove it: {clean}"));
        return found;
    }
    match Made::read(&dir.join(MADE)) {
        Ok(made) => found.cleaned = clean(stack, &found.run, &made),
        Err(error) => found.cleaned.failed.push(format!("what was made is not known: {error:#}")),
    }
    found
}

fn clean_up(stack: &Stack, run: &str) -> anyhow::Result<()> {
    let is_run = run.len() == 8 && run.bytes().all(|byte| byte.is_ascii_hexdigit());
    ensure!(is_run, "{run:?} is no run: it has eight hexadecimal digits, such as 0a1b2c3d");
    let made = run_dir(run).join(MADE);
    if !made.exists() {
        ui::note(&format!(
            "{} is not here: users, clients and API keys of that run are not known",
            shown(&made)
        ));
    }
    let cleaned = clean(stack, run, &Made::read(&made)?);
    cleaned.removed.iter().for_each(|(what, count)| ui::success(&format!("removed {count} {what}")));
    cleaned.stays.iter().for_each(|stays| ui::note(&format!("stays: {stays}")));
    ensure!(cleaned.failed.is_empty(), "not removed:\n  {}", cleaned.failed.join("\n  "));
    Ok(())
}

/// Where a run keeps what it made, what was left out, and the tests' output.
fn run_dir(run: &str) -> PathBuf {
    local_dir().join("verify").join(run)
}
