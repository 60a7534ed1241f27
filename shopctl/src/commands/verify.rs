//! `verify`

use std::path::PathBuf;
use std::process::Command;

use anyhow::ensure;
use terminal::{signals, ui};

use super::{OutputArgs, print_json};
use crate::api::random;
use crate::audit::{self, AuditMode};
use crate::verify::{
    CREATED_FILE, CleanupResult, CreatedResource, PERMISSIONS, Verification, check_permissions,
    check_preconditions, clean, run_tests,
};
use crate::{Exit, Stack, Target, duration};

/// Verify a deployed stack: run the end-to-end tests that work on any stack, audit it, and remove the test
/// data.
///
/// Uses your AWS credentials and region, and the stack's public API. It places orders with Stripe's test
/// cards and refuses a stack with a live Stripe key. Tests that need the local stack's emulator are skipped
/// and listed with the reason, also when the command runs against the local stack.
#[derive(clap::Args)]
pub struct Args {
    /// Run only tests whose name contains this, such as `gateway::`.
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Keep the test data, for inspection. Remove it later with `--clean`.
    #[arg(long)]
    keep: bool,
    /// Run no tests: remove the test data of an earlier run.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["only", "keep", "report", "json"])]
    clean: Option<String>,
    /// Do not audit the stack.
    #[arg(long)]
    no_audit: bool,
    /// Also write the report to this file as Markdown, and next to it as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Verifies a stack. `tests` runs the end-to-end tests, with the options of Rust's test harness; without it, these
/// are not run, and nothing is changed.
///
/// # Errors
/// When the stack cannot be verified: it cannot be accessed, is being deployed, or charges real cards.
pub fn run(target: Target, args: &Args, tests: Option<Command>) -> anyhow::Result<Exit> {
    signals::catch()?;
    let stack = Stack::open(target)?;
    if let Some(run) = &args.clean {
        return clean_up(&stack, run);
    }
    let run = format!("{:08x}", random()? >> 32);
    let facts = check_preconditions(&stack)?;
    if !args.output.json {
        ui::heading(&format!("Verify {}", stack.name()));
        facts.iter().for_each(|(name, value)| ui::field(name, value));
        ui::field("run", &run);
    }
    let found = verify(&stack, run, facts, args, tests);
    if let Some(file) = &args.report {
        found.write(file)?;
    }
    if args.output.json {
        print_json(&found.json())?;
    } else {
        found.print();
        ui::heading("Result");
        let not = if found.is_successful() { "" } else { "not " };
        anstream::println!("{} is {not}verified: {}", stack.name(), found.summary());
    }
    signals::check()?;
    Ok(Exit::from_check(found.is_successful()))
}

fn verify(
    stack: &Stack,
    run: String,
    facts: Vec<(&'static str, String)>,
    args: &Args,
    tests: Option<Command>,
) -> Verification {
    let mut found = Verification {
        at: duration::now(),
        stack: facts,
        tests: Vec::new(),
        audit: None,
        cleanup: CleanupResult::default(),
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
    let dir = run_dir(stack, &found.run);
    let wrote = tests.is_some();
    if let Some(program) = tests {
        match run_tests(stack, program, &found.run, &dir, &args.only) {
            Ok(tests) => found.tests.extend(tests),
            Err(error) => found.errors.push(format!("{error:#}")),
        }
    }
    if !args.no_audit && signals::check().is_ok() {
        match audit::run(stack, AuditMode::Running { patience: None }) {
            Ok(report) => {
                if !args.output.json {
                    audit::print(stack, &report);
                }
                found.audit = Some(report);
            }
            Err(error) => found.errors.push(format!("the audit: {error:#}")),
        }
    }
    if !wrote {
        return found;
    }
    // Also after an interruption: no removable test data is left behind.
    if args.keep {
        let clean = format!("{} verify --clean {}", stack.target.program, found.run);
        found.cleanup.kept.push(format!("all test data, because of --keep. To remove it: {clean}"));
        return found;
    }
    match CreatedResource::read(&dir.join(CREATED_FILE)) {
        Ok(created) => found.cleanup = clean(stack, &found.run, &created),
        Err(error) => {
            found.cleanup.failed.push(format!("the list of created resources cannot be read: {error:#}"));
        }
    }
    found
}

fn clean_up(stack: &Stack, run: &str) -> anyhow::Result<Exit> {
    let is_run = run.len() == 8 && run.bytes().all(|byte| byte.is_ascii_hexdigit());
    ensure!(is_run, "{run:?} is not a run: it has eight hexadecimal digits, such as 0a1b2c3d");
    let created = run_dir(stack, run).join(CREATED_FILE);
    if !created.exists() {
        ui::note(&format!(
            "{} does not exist: users, clients and API keys of that run are unknown and not removed",
            created.display()
        ));
    }
    let cleanup = clean(stack, run, &CreatedResource::read(&created)?);
    cleanup.removed.iter().for_each(|(what, count)| ui::success(&format!("removed {count} {what}")));
    cleanup.kept.iter().for_each(|kept| ui::note(&format!("kept: {kept}")));
    ensure!(cleanup.failed.is_empty(), "not removed:\n  {}", cleanup.failed.join("\n  "));
    Ok(Exit::Success)
}

/// The files of a run: the created resources, the skipped tests, and the output.
fn run_dir(stack: &Stack, run: &str) -> PathBuf {
    stack.target.files.join("verify").join(run)
}
