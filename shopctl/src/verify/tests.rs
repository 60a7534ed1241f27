//! Runs the end-to-end tests against a stack, and collects their results.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use terminal::process;
use terminal::ui::{GREEN, RED};

use crate::{Stack, names};

/// How many tests run concurrently: a firewall limits the request rate of an IP address.
const THREADS: &str = "8";
/// How many lines of a failed test's output a report contains.
const DETAIL_LINES: usize = 40;

/// The outcome of a test.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Passed,
    /// With its output.
    Failed(String),
    /// With the reason.
    Skipped(String),
}

/// The result of a test.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TestResult {
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
}

/// The files of a run.
pub(crate) const CREATED_FILE: &str = "made.jsonl";
const SKIPPED_FILE: &str = "left-out.txt";
const OUTPUT_FILE: &str = "tests.log";

/// Runs the tests whose name contains one of `only`, or all, against the stack. `program` is that of the tests, and
/// takes the options of Rust's test harness. Progress goes to standard error.
///
/// # Errors
/// When the tests cannot be run to completion.
pub(crate) fn run(
    stack: &Stack,
    program: Command,
    run: &str,
    dir: &Path,
    only: &[String],
) -> anyhow::Result<Vec<TestResult>> {
    std::fs::create_dir_all(dir)?;
    let mut output = Output::default();
    let mut done = 0_usize;
    let mut program = configure(program, stack, run, dir, only)?;
    let status = process::run_with_lines(&mut program, |line| {
        if let Some((name, passed)) = output.add_line(line) {
            done = done.saturating_add(1);
            let (style, sign) = if passed { (GREEN, '✓') } else { (RED, '✗') };
            anstream::eprintln!("{style}{sign}{style:#} {done:3} {name}");
        }
    })?;
    std::fs::write(dir.join(OUTPUT_FILE), &output.all)?;
    let skipped = std::fs::read_to_string(dir.join(SKIPPED_FILE)).unwrap_or_default();
    let results = output.results(&skipped);
    let failed = results.iter().any(|result| matches!(result.outcome, Outcome::Failed(_)));
    ensure!(!results.is_empty(), "no test ran; the output is in {}", dir.join(OUTPUT_FILE).display());
    ensure!(
        status.success() || failed,
        "the tests did not run to completion ({status}); the output is in {}",
        dir.join(OUTPUT_FILE).display()
    );
    Ok(results)
}

/// Adds the options and the environment variables that select the stack.
fn configure(
    mut program: Command,
    stack: &Stack,
    run: &str,
    dir: &Path,
    only: &[String],
) -> anyhow::Result<Command> {
    let outputs = stack.outputs()?;
    let output = |name: &str| {
        outputs.get(name).cloned().with_context(|| format!("stack {} has no output {name}", stack.name()))
    };
    let provider = stack.parameter("StripeApiBase")?.context("the stack has no StripeApiBase")?;
    program.args(["--test-threads", THREADS]).args(only);
    for local in ["E2E_EMULATOR_URL", "E2E_WEBHOOK_RECEIVER", "AWS_PROFILE", "AWS_SESSION_TOKEN"] {
        program.env_remove(local);
    }
    program
        .env("E2E_API_URL", output(names::API_URL_OUTPUT)?)
        .env("E2E_OUTPUTS", serde_json::to_string(&outputs)?)
        .env("E2E_STACK_NAME", stack.name())
        .env("E2E_STRIPE_URL", provider)
        .env("E2E_WEBHOOK_SECRET_ID", output(names::WEBHOOK_SECRET_OUTPUT)?)
        .env("E2E_RUN", run)
        .env("E2E_MADE", dir.join(CREATED_FILE))
        .env("E2E_LEFT_OUT", dir.join(SKIPPED_FILE))
        .envs(stack.aws.environment()?);
    Ok(program)
}

/// The output of the test runner.
#[derive(Default)]
struct Output {
    all: String,
    tests: BTreeMap<String, bool>,
    /// The output of each failed test.
    details: BTreeMap<String, Vec<String>>,
    /// The test whose output is being read.
    current: Option<String>,
}

impl Output {
    /// Adds a line. Returns the test that it reports as finished, and whether that passed.
    fn add_line(&mut self, line: &str) -> Option<(String, bool)> {
        self.all.push_str(line);
        self.all.push('\n');
        if let Some(name) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")) {
            self.current = Some(name.to_owned());
            return None;
        }
        if line == "failures:" || line.starts_with("test result: ") {
            self.current = None;
        }
        if let Some(current) = &self.current {
            self.details.entry(current.clone()).or_default().push(line.to_owned());
            return None;
        }
        let (name, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
        let passed = match outcome.split_whitespace().next()? {
            "ok" => true,
            "FAILED" => false,
            _ => return None,
        };
        self.tests.insert(name.to_owned(), passed);
        Some((name.to_owned(), passed))
    }

    /// All results, sorted by name. `skipped` contains a test and a reason per line, separated by a tab.
    fn results(self, skipped: &str) -> Vec<TestResult> {
        let reasons: BTreeMap<&str, &str> =
            skipped.lines().filter_map(|line| line.split_once('\t')).collect();
        let results = self.tests.iter().map(|(name, passed)| {
            let outcome = match (passed, reasons.get(name.as_str())) {
                (false, _) => {
                    let output = self.details.get(name).map(Vec::as_slice).unwrap_or_default();
                    Outcome::Failed(output.iter().take(DETAIL_LINES).cloned().collect::<Vec<_>>().join("\n"))
                }
                (true, Some(reason)) => Outcome::Skipped((*reason).to_owned()),
                (true, None) => Outcome::Passed,
            };
            TestResult { name: name.clone(), outcome }
        });
        results.collect()
    }
}

#[cfg(test)]
mod output_tests {
    use super::*;

    #[test]
    fn results_are_read_from_the_runners_output() {
        let mut output = Output::default();
        let lines = "running 3 tests\ntest a::one ... ok\ntest b::two ... FAILED\ntest c::three ... ok\n\nfailures:\n\n\
                     ---- b::two stdout ----\nthread 'b::two' panicked at x.rs:1:1:\ntest of a bad line ... ok\n\n\n\
                     failures:\n    b::two\n\ntest result: FAILED. 2 passed; 1 failed;\n";
        let ended: Vec<_> = lines.lines().filter_map(|line| output.add_line(line)).collect();
        assert_eq!(ended.iter().map(|(_, passed)| *passed).collect::<Vec<_>>(), [true, false, true]);
        let results = output.results("c::three\tneeds a mailbox\n");
        assert_eq!(
            results.iter().map(|result| result.name.as_str()).collect::<Vec<_>>(),
            ["a::one", "b::two", "c::three"]
        );
        assert_eq!(results[0].outcome, Outcome::Passed);
        assert!(
            matches!(&results[1].outcome, Outcome::Failed(output) if output.contains("panicked at x.rs"))
        );
        assert_eq!(results[2].outcome, Outcome::Skipped("needs a mailbox".to_owned()));
    }

    #[test]
    fn a_failed_test_is_not_skipped_even_if_it_has_a_reason() {
        let mut output = Output::default();
        output.add_line("test a::one ... FAILED");
        assert!(matches!(output.results("a::one\tneeds nothing\n")[0].outcome, Outcome::Failed(_)));
    }
}
