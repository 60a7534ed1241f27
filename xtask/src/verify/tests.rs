//! Running the end-to-end tests against a stack, and reading what became of each.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::instance::repo_root;
use crate::process::{self, cargo};
use crate::stack::Stack;
use crate::{names, ui};

/// How many tests run at a time: a firewall limits how often one address may ask.
const THREADS: &str = "8";
/// How much of a failure a report keeps, in lines.
const DETAIL_LINES: usize = 40;

/// What became of a test.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Passed,
    /// What it said.
    Failed(String),
    /// For what reason it was not run.
    LeftOut(String),
}

/// A test, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TestResult {
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
}

/// Where a run keeps its files.
pub(crate) const MADE: &str = "made.jsonl";
const LEFT_OUT: &str = "left-out.txt";
const OUTPUT: &str = "tests.log";

/// Runs the tests against the stack; those whose name contains one of `only`, or all. Progress goes to the terminal.
///
/// # Errors
/// When the tests cannot be run to their end.
pub(crate) fn run(stack: &Stack, run: &str, dir: &Path, only: &[String]) -> anyhow::Result<Vec<TestResult>> {
    std::fs::create_dir_all(dir)?;
    let mut output = Output::default();
    let mut done = 0_usize;
    let mut command = command(stack, run, dir, only)?;
    let status = process::run_reading(&mut command, |line| {
        if let Some((name, passed)) = output.take(line) {
            done = done.saturating_add(1);
            if passed {
                anstream::println!("{}✓{:#} {done:3} {name}", ui::GREEN, ui::GREEN);
            } else {
                anstream::println!("{}✗{:#} {done:3} {name}", ui::RED, ui::RED);
            }
        }
    })?;
    std::fs::write(dir.join(OUTPUT), &output.all)?;
    let left_out = std::fs::read_to_string(dir.join(LEFT_OUT)).unwrap_or_default();
    let results = output.results(&left_out);
    let failed = results.iter().any(|result| matches!(result.outcome, Outcome::Failed(_)));
    ensure!(!results.is_empty(), "no test ran; their output is in {}", dir.join(OUTPUT).display());
    ensure!(
        status.success() || failed,
        "the tests did not come to their end ({status}); their output is in {}",
        dir.join(OUTPUT).display()
    );
    Ok(results)
}

fn command(stack: &Stack, run: &str, dir: &Path, only: &[String]) -> anyhow::Result<Command> {
    let outputs = stack.outputs()?;
    let output = |name: &str| {
        outputs.get(name).cloned().with_context(|| format!("stack {} has no output {name}", stack.name))
    };
    let provider = stack.parameter("StripeApiBase")?.context("the stack has no StripeApiBase")?;
    let mut command = cargo();
    // Not `--package end_to_end`: cargo would choose other features for that package alone.
    command.args(["test", "--workspace", "--test", "stack", "--", "--test-threads", THREADS]).args(only);
    for local in
        ["E2E_EMULATOR_URL", "E2E_WEBHOOK_RECEIVER", "E2E_BINARIES_DIR", "AWS_PROFILE", "AWS_SESSION_TOKEN"]
    {
        command.env_remove(local);
    }
    command
        .env("E2E_API_URL", output(names::API_URL_OUTPUT)?)
        .env("E2E_OUTPUTS", serde_json::to_string(&outputs)?)
        .env("E2E_STACK_NAME", &stack.name)
        .env("E2E_STRIPE_URL", provider)
        .env("E2E_WEBHOOK_SECRET_ID", output(names::WEBHOOK_SECRET_OUTPUT)?)
        .env("E2E_REPO_ROOT", repo_root())
        .env("E2E_RUN", run)
        .env("E2E_MADE", dir.join(MADE))
        .env("E2E_LEFT_OUT", dir.join(LEFT_OUT))
        .envs(stack.aws.environment()?);
    Ok(command)
}

/// What the test runner prints, line by line.
#[derive(Default)]
struct Output {
    all: String,
    tests: BTreeMap<String, bool>,
    /// What each failed test said.
    details: BTreeMap<String, Vec<String>>,
    /// Whose words are being read.
    of: Option<String>,
}

impl Output {
    /// Takes in a line. Returns the test that it is the end of, and whether that passed.
    fn take(&mut self, line: &str) -> Option<(String, bool)> {
        self.all.push_str(line);
        self.all.push('\n');
        if let Some(name) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")) {
            self.of = Some(name.to_owned());
            return None;
        }
        if line == "failures:" || line.starts_with("test result: ") {
            self.of = None;
        }
        if let Some(of) = &self.of {
            self.details.entry(of.clone()).or_default().push(line.to_owned());
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

    /// All results in the order of their names. `left_out`: a test and a reason a line, with a tab between them.
    fn results(self, left_out: &str) -> Vec<TestResult> {
        let reasons: BTreeMap<&str, &str> =
            left_out.lines().filter_map(|line| line.split_once('\t')).collect();
        let results = self.tests.iter().map(|(name, passed)| {
            let outcome = match (passed, reasons.get(name.as_str())) {
                (false, _) => {
                    let said = self.details.get(name).map(Vec::as_slice).unwrap_or_default();
                    Outcome::Failed(said.iter().take(DETAIL_LINES).cloned().collect::<Vec<_>>().join("\n"))
                }
                (true, Some(reason)) => Outcome::LeftOut((*reason).to_owned()),
                (true, None) => Outcome::Passed,
            };
            TestResult { name: name.clone(), outcome }
        });
        results.collect()
    }
}

#[cfg(test)]
mod of_the_summary {
    use super::*;

    #[test]
    fn what_became_of_each_test_is_read_from_the_runners_lines() {
        let mut output = Output::default();
        let lines = "running 3 tests\ntest a::one ... ok\ntest b::two ... FAILED\ntest c::three ... ok\n\nfailures:\n\n\
                     ---- b::two stdout ----\nthread 'b::two' panicked at x.rs:1:1:\ntest of a bad line ... ok\n\n\n\
                     failures:\n    b::two\n\ntest result: FAILED. 2 passed; 1 failed;\n";
        let ended: Vec<_> = lines.lines().filter_map(|line| output.take(line)).collect();
        assert_eq!(ended.iter().map(|(_, passed)| *passed).collect::<Vec<_>>(), [true, false, true]);
        let results = output.results("c::three\tneeds a mailbox\n");
        assert_eq!(
            results.iter().map(|result| result.name.as_str()).collect::<Vec<_>>(),
            ["a::one", "b::two", "c::three"]
        );
        assert_eq!(results[0].outcome, Outcome::Passed);
        assert!(matches!(&results[1].outcome, Outcome::Failed(said) if said.contains("panicked at x.rs")));
        assert_eq!(results[2].outcome, Outcome::LeftOut("needs a mailbox".to_owned()));
    }

    #[test]
    fn a_test_that_failed_is_not_left_out_whatever_is_noted() {
        let mut output = Output::default();
        output.take("test a::one ... FAILED");
        assert!(matches!(output.results("a::one\tneeds nothing\n")[0].outcome, Outcome::Failed(_)));
    }
}
