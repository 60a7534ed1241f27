//! What a verification found: for the terminal, as Markdown and as JSON.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Cleaned, Outcome, TestResult};
use crate::audit;
use crate::ui::{self, DIM, GREEN, RED, YELLOW};

/// What a verification found.
pub(crate) struct Verification {
    pub(crate) run: String,
    pub(crate) at: Timestamp,
    /// What is known of the stack: names and values.
    pub(crate) stack: Vec<(&'static str, String)>,
    pub(crate) tests: Vec<TestResult>,
    /// `None` where it was not asked for.
    pub(crate) audit: Option<audit::Report>,
    pub(crate) cleaned: Cleaned,
    /// What ended a part before its end.
    pub(crate) errors: Vec<String>,
}

impl Verification {
    /// Whether everything that was tried went well.
    pub(crate) fn is_good(&self) -> bool {
        self.errors.is_empty()
            && self.failed().next().is_none()
            && self.tests.iter().any(|test| test.outcome == Outcome::Passed)
            && self.audit.as_ref().is_none_or(audit::Report::holds)
            && self.cleaned.failed.is_empty()
    }

    fn failed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tests.iter().filter_map(|test| match &test.outcome {
            Outcome::Failed(said) => Some((test.name.as_str(), said.as_str())),
            _ => None,
        })
    }

    fn left_out(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tests.iter().filter_map(|test| match &test.outcome {
            Outcome::LeftOut(reason) => Some((test.name.as_str(), reason.as_str())),
            _ => None,
        })
    }

    fn passed(&self) -> usize {
        self.tests.iter().filter(|test| test.outcome == Outcome::Passed).count()
    }

    /// One line: how many tests went how, and what the audit says.
    pub(crate) fn summary(&self) -> String {
        let audit = match &self.audit {
            None => "not audited".to_owned(),
            Some(report) if report.holds() => "the audit holds".to_owned(),
            Some(report) => format!("the audit found {} violations", report.violations.len()),
        };
        format!(
            "{} passed, {} failed, {} left out; {audit}",
            self.passed(),
            self.failed().count(),
            self.left_out().count()
        )
    }

    /// Prints it, the failures last.
    pub(crate) fn print(&self) {
        ui::heading("Tests");
        for test in &self.tests {
            match &test.outcome {
                Outcome::Passed => anstream::println!("  {GREEN}passed  {GREEN:#}  {}", test.name),
                Outcome::Failed(_) => anstream::println!("  {RED}failed  {RED:#}  {}", test.name),
                Outcome::LeftOut(reason) => {
                    anstream::println!("  {YELLOW}left out{YELLOW:#}  {}  {DIM}{reason}{DIM:#}", test.name);
                }
            }
        }
        ui::heading("Test data");
        for (what, count) in &self.cleaned.removed {
            anstream::println!("  removed {count:5}  {what}");
        }
        self.cleaned.stays.iter().for_each(|stays| ui::note(&format!("stays: {stays}")));
        for (name, said) in self.failed() {
            ui::heading(&format!("Why {name} failed"));
            anstream::println!("{}", said.trim_end());
        }
        for failed in self
            .cleaned
            .failed
            .iter()
            .map(|failed| format!("not removed: {failed}"))
            .chain(self.errors.clone())
        {
            anstream::println!("{RED}✗{RED:#} {failed}");
        }
    }

    /// Writes it as Markdown to `file`, and as JSON beside it.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<()> {
        let beside = file.with_extension("json");
        for (path, text) in [(file, self.markdown()), (&beside, format!("{:#}\n", self.json()))] {
            std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
            ui::note(&format!("the report is in {}", path.display()));
        }
        Ok(())
    }

    fn markdown(&self) -> String {
        let mut text = String::new();
        let result = if self.is_good() { "verified" } else { "NOT verified" };
        // Writing to a text does not fail.
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
                Outcome::LeftOut(reason) => format!("left out: {reason}"),
            };
            let _ = writeln!(text, "| `{}` | {outcome} |", test.name);
        }
        if let Some(report) = &self.audit {
            let _ = writeln!(text, "\n## Audit\n\n{}\n", report.promises);
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
        for (what, count) in &self.cleaned.removed {
            let _ = writeln!(text, "- removed: {count} {what}");
        }
        for stays in &self.cleaned.stays {
            let _ = writeln!(text, "- stays: {stays}");
        }
        for failed in &self.cleaned.failed {
            let _ = writeln!(text, "- **not removed**: {}", cell(failed));
        }
        for (name, said) in self.failed() {
            let _ = writeln!(text, "\n## Why `{name}` failed\n\n````\n{}\n````", said.trim());
        }
        text
    }

    fn json(&self) -> Value {
        let tests = self.tests.iter().map(|test| match &test.outcome {
            Outcome::Passed => json!({ "name": test.name, "result": "passed" }),
            Outcome::Failed(said) => json!({ "name": test.name, "result": "failed", "detail": said }),
            Outcome::LeftOut(reason) => json!({ "name": test.name, "result": "left_out", "reason": reason }),
        });
        let stack: serde_json::Map<String, Value> =
            self.stack.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
        let removed: serde_json::Map<String, Value> =
            self.cleaned.removed.iter().map(|(what, count)| (what.clone(), (*count).into())).collect();
        json!({
            "verified": self.is_good(), "summary": self.summary(), "at": self.at.to_string(), "run": self.run,
            "stack": stack, "tests": tests.collect::<Vec<_>>(), "audit": self.audit.as_ref().map(audit::json),
            "removed": removed, "stays": self.cleaned.stays, "not_removed": self.cleaned.failed, "errors": self.errors,
        })
    }
}

/// A text that stays on its line.
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
            cleaned: Cleaned::default(),
            errors: Vec::new(),
        }
    }

    #[test]
    fn nothing_that_ran_is_not_good() {
        let left_out = Outcome::LeftOut("needs a mailbox".to_owned());
        assert!(verification(&[Outcome::Passed, left_out.clone()]).is_good());
        assert!(!verification(&[left_out]).is_good());
        assert!(!verification(&[]).is_good());
        assert!(!verification(&[Outcome::Passed, Outcome::Failed(String::new())]).is_good());
        let mut stays = verification(&[Outcome::Passed]);
        stays.cleaned.failed.push("users".to_owned());
        assert!(!stays.is_good());
        let mut cut_off = verification(&[Outcome::Passed]);
        cut_off.errors.push("stopped".to_owned());
        assert!(!cut_off.is_good());
    }

    #[test]
    fn a_report_names_what_failed_and_why_and_what_was_left_out_and_why() {
        let left_out = Outcome::LeftOut("needs a mailbox".to_owned());
        let found = verification(&[Outcome::Passed, Outcome::Failed("no such route".to_owned()), left_out]);
        assert_eq!(found.summary(), "1 passed, 1 failed, 1 left out; not audited");
        let text = found.markdown();
        for part in ["# NOT verified", "| `t1` | **failed** |", "no such route", "left out: needs a mailbox"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(found.json()["tests"][2]["result"], "left_out");
    }
}
