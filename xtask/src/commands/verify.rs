//! `cargo xtask verify`

use std::path::PathBuf;

use anyhow::ensure;

use crate::api::random;
use crate::audit::{self, AuditMode};
use crate::instance::{display_path, local_dir};
use crate::stack::Stack;
use crate::verify::{
    CREATED_FILE, CleanupResult, CreatedResource, PERMISSIONS, Verification, check_permissions,
    check_preconditions, clean, run_tests,
};
use crate::{duration, signals, ui};

/// Verify a deployed stack: run the end-to-end tests that work on any stack, audit it, and remove the test
/// data.
///
/// Uses your AWS credentials and region, and the stack's public API. It places orders with Stripe's test
/// cards and refuses a stack with a live Stripe key. Tests that need the local stack's emulator are skipped
/// and listed with the reason, also when the command runs against the local stack.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only tests whose name contains this, such as `gateway::`.
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Keep the test data, for inspection. Remove it later with `--clean`.
    #[arg(long)]
    keep: bool,
    /// Run no tests: remove the test data of an earlier run.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["only", "keep", "report"])]
    clean: Option<String>,
    /// Do not audit the stack.
    #[arg(long)]
    no_audit: bool,
    /// Also write the report to this file as Markdown, and next to it as JSON.
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
    let facts = check_preconditions(&stack)?;
    facts.iter().for_each(|(name, value)| ui::field(name, value));
    ui::field("run", &run);
    let found = verify(&stack, run, facts, args);
    found.print();
    if let Some(file) = &args.report {
        found.write(file)?;
    }
    ui::heading("Result");
    ensure!(found.is_successful(), "{} is not verified: {}", stack.name, found.summary());
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
    ui::heading("End-to-end tests");
    match run_tests(stack, &found.run, &dir, &args.only) {
        Ok(tests) => found.tests.extend(tests),
        Err(error) => found.errors.push(format!("{error:#}")),
    }
    if !args.no_audit && signals::check().is_ok() {
        let audited = audit::run(stack, AuditMode::Running { patience: None });
        match audited.and_then(|report| audit::print(stack, &report).map(|()| report)) {
            Ok(report) => found.audit = Some(report),
            Err(error) => found.errors.push(format!("the audit: {error:#}")),
        }
    }
    // Also after an interruption: no removable test data is left behind.
    if args.keep {
        let clean = format!("cargo xtask verify --stack {} --clean {}", stack.name, found.run);
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

fn clean_up(stack: &Stack, run: &str) -> anyhow::Result<()> {
    let is_run = run.len() == 8 && run.bytes().all(|byte| byte.is_ascii_hexdigit());
    ensure!(is_run, "{run:?} is not a run: it has eight hexadecimal digits, such as 0a1b2c3d");
    let created = run_dir(run).join(CREATED_FILE);
    if !created.exists() {
        ui::note(&format!(
            "{} does not exist: users, clients and API keys of that run are unknown and not removed",
            display_path(&created)
        ));
    }
    let cleanup = clean(stack, run, &CreatedResource::read(&created)?);
    cleanup.removed.iter().for_each(|(what, count)| ui::success(&format!("removed {count} {what}")));
    cleanup.kept.iter().for_each(|kept| ui::note(&format!("kept: {kept}")));
    ensure!(cleanup.failed.is_empty(), "not removed:\n  {}", cleanup.failed.join("\n  "));
    Ok(())
}

/// The files of a run: the created resources, the skipped tests, and the output.
fn run_dir(run: &str) -> PathBuf {
    local_dir().join("verify").join(run)
}
