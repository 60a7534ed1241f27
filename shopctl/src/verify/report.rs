//! The result of a verification: on the terminal, as Markdown and as JSON.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::{Value, json};
use terminal::ui::{self, DIM, GREEN, RED, YELLOW};

use super::{CleanupResult, Outcome, TestResult};
use crate::audit;

/// The result of a verification.
pub(crate) struct Verification {
    pub(crate) run: String,
    pub(crate) at: Timestamp,
    /// Names and values that describe the stack.
    pub(crate) stack: Vec<(&'static str, String)>,
    pub(crate) tests: Vec<TestResult>,
    /// `None` if it was not requested.
    pub(crate) audit: Option<audit::Report>,
    pub(crate) cleanup: CleanupResult,
    /// Errors that ended a part early.
    pub(crate) errors: Vec<String>,
}

impl Verification {
    /// Whether all parts succeeded, and at least one test passed.
    pub(crate) fn is_successful(&self) -> bool {
        self.errors.is_empty()
            && self.failed().next().is_none()
            && self.tests.iter().any(|test| test.outcome == Outcome::Passed)
            && self.audit.as_ref().is_none_or(audit::Report::holds)
            && self.cleanup.failed.is_empty()
    }

    fn failed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tests.iter().filter_map(|test| match &test.outcome {
            Outcome::Failed(output) => Some((test.name.as_str(), output.as_str())),
            _ => None,
        })
    }

    fn skipped(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tests.iter().filter_map(|test| match &test.outcome {
            Outcome::Skipped(reason) => Some((test.name.as_str(), reason.as_str())),
            _ => None,
        })
    }

    fn passed(&self) -> usize {
        self.tests.iter().filter(|test| test.outcome == Outcome::Passed).count()
    }

    /// One line with the numbers of tests by outcome, and the result of the audit.
    pub(crate) fn summary(&self) -> String {
        let audit = match &self.audit {
            None => "not run".to_owned(),
            Some(report) if report.holds() => "no violations".to_owned(),
            Some(report) => format!("{} violations", report.violations.len()),
        };
        format!(
            "{} passed, {} failed, {} skipped; audit: {audit}",
            self.passed(),
            self.failed().count(),
            self.skipped().count()
        )
    }

    /// Prints the result, the failures last.
    pub(crate) fn print(&self) {
        ui::heading("Tests");
        for test in &self.tests {
            match &test.outcome {
                Outcome::Passed => anstream::println!("  {GREEN}passed  {GREEN:#}  {}", test.name),
                Outcome::Failed(_) => anstream::println!("  {RED}failed  {RED:#}  {}", test.name),
                Outcome::Skipped(reason) => {
                    anstream::println!("  {YELLOW}skipped {YELLOW:#}  {}  {DIM}{reason}{DIM:#}", test.name);
                }
            }
        }
        ui::heading("Test data");
        for (what, count) in &self.cleanup.removed {
            anstream::println!("  removed {count:5}  {what}");
        }
        self.cleanup.kept.iter().for_each(|kept| ui::note(&format!("kept: {kept}")));
        for (name, output) in self.failed() {
            ui::heading(&format!("Output of {name}"));
            anstream::println!("{}", output.trim_end());
        }
        for failed in self
            .cleanup
            .failed
            .iter()
            .map(|failed| format!("not removed: {failed}"))
            .chain(self.errors.clone())
        {
            anstream::println!("{RED}✗{RED:#} {failed}");
        }
    }

    /// Writes the result as Markdown to `file`, and as JSON next to it.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<()> {
        let json = file.with_extension("json");
        for (path, text) in [(file, self.markdown()), (&json, format!("{:#}\n", self.json()))] {
            std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
            anstream::eprintln!("report written to {}", path.display());
        }
        Ok(())
    }

    fn markdown(&self) -> String {
        let mut text = String::new();
        let result = if self.is_successful() { "verified" } else { "NOT verified" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# {result}: {}\n\n{} UTC, run `{}`\n", self.summary(), self.at, self.run);
        for (name, value) in &self.stack {
            let _ = writeln!(text, "- {name}: {value}");
        }
        for error in &self.errors {
            let _ = writeln!(text, "- **{}**", cell(error));
        }
        let _ = writeln!(text, "\n## Tests\n\n| Test | Result |\n|---|---|");
        for test in &self.tests {
            let outcome = match &test.outcome {
                Outcome::Passed => "passed".to_owned(),
                Outcome::Failed(_) => "**failed**".to_owned(),
                Outcome::Skipped(reason) => format!("skipped: {reason}"),
            };
            let _ = writeln!(text, "| `{}` | {outcome} |", test.name);
        }
        if let Some(report) = &self.audit {
            let _ = writeln!(text, "\n## Audit\n\n{}\n", report.mode);
            for (what, count) in &report.counts {
                let _ = writeln!(text, "- {}: {count}", what.trim());
            }
            for violation in &report.violations {
                let order = violation.order_id.map(|order| format!(" {order}")).unwrap_or_default();
                let _ = writeln!(text, "- **{:?}**{order}: {}", violation.rule, cell(&violation.detail));
            }
            for note in &report.notes {
                let _ = writeln!(text, "- note: {}", cell(note));
            }
        }
        let _ = writeln!(text, "\n## Test data\n");
        for (what, count) in &self.cleanup.removed {
            let _ = writeln!(text, "- removed: {count} {what}");
        }
        for kept in &self.cleanup.kept {
            let _ = writeln!(text, "- kept: {kept}");
        }
        for failed in &self.cleanup.failed {
            let _ = writeln!(text, "- **not removed**: {}", cell(failed));
        }
        for (name, output) in self.failed() {
            let _ = writeln!(text, "\n## Output of `{name}`\n\n````\n{}\n````", output.trim());
        }
        text
    }

    /// The result in the form of `--json`.
    pub(crate) fn json(&self) -> Value {
        let tests = self.tests.iter().map(|test| match &test.outcome {
            Outcome::Passed => json!({ "name": test.name, "result": "passed" }),
            Outcome::Failed(output) => json!({ "name": test.name, "result": "failed", "detail": output }),
            Outcome::Skipped(reason) => json!({ "name": test.name, "result": "skipped", "reason": reason }),
        });
        let stack: serde_json::Map<String, Value> =
            self.stack.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
        let removed: serde_json::Map<String, Value> =
            self.cleanup.removed.iter().map(|(what, count)| (what.clone(), (*count).into())).collect();
        json!({
            "verified": self.is_successful(), "summary": self.summary(), "at": self.at.to_string(), "run": self.run,
            "stack": stack, "tests": tests.collect::<Vec<_>>(), "audit": self.audit.as_ref().map(audit::json),
            "removed": removed, "kept": self.cleanup.kept, "not_removed": self.cleanup.failed, "errors": self.errors,
        })
    }
}

/// Replaces line breaks, so that the text stays on its line.
fn cell(text: &str) -> String {
    text.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verification(outcomes: &[Outcome]) -> Verification {
        let test = |(index, outcome): (usize, &Outcome)| TestResult {
            name: format!("t{index}"),
            outcome: outcome.clone(),
        };
        Verification {
            run: "01234567".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            stack: vec![("stack", "shop".to_owned())],
            tests: outcomes.iter().enumerate().map(test).collect(),
            audit: None,
            cleanup: CleanupResult::default(),
            errors: Vec::new(),
        }
    }

    #[test]
    fn a_verification_succeeds_only_if_tests_passed_and_nothing_failed() {
        let skipped = Outcome::Skipped("needs a mailbox".to_owned());
        assert!(verification(&[Outcome::Passed, skipped.clone()]).is_successful());
        assert!(!verification(&[skipped]).is_successful());
        assert!(!verification(&[]).is_successful());
        assert!(!verification(&[Outcome::Passed, Outcome::Failed(String::new())]).is_successful());
        let mut not_removed = verification(&[Outcome::Passed]);
        not_removed.cleanup.failed.push("users".to_owned());
        assert!(!not_removed.is_successful());
        let mut interrupted = verification(&[Outcome::Passed]);
        interrupted.errors.push("stopped".to_owned());
        assert!(!interrupted.is_successful());
    }

    #[test]
    fn a_report_gives_the_reasons_for_failed_and_skipped_tests() {
        let skipped = Outcome::Skipped("needs a mailbox".to_owned());
        let found = verification(&[Outcome::Passed, Outcome::Failed("no such route".to_owned()), skipped]);
        assert_eq!(found.summary(), "1 passed, 1 failed, 1 skipped; audit: not run");
        let text = found.markdown();
        for part in ["# NOT verified", "| `t1` | **failed** |", "no such route", "skipped: needs a mailbox"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(found.json()["tests"][2]["result"], "skipped");
    }
}
