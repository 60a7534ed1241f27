//! What a run found, as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::clients::Experience;
use super::door::Seen;
use super::plan::Plan;
use super::settle::Settled;
use crate::logs::Handled;

/// How the names of faults begin.
pub(super) const KILLED: &str = "processes killed";
pub(super) const PROVIDER: &str = "provider";
pub(super) const AGAIN: &str = "messages delivered again at random";

/// Everything that a report tells.
pub(crate) struct Findings<'a> {
    pub(crate) plan: &'a Plan,
    /// What a person types to do it again.
    pub(crate) command: String,
    pub(crate) faults: &'a BTreeMap<String, u64>,
    /// How many calls of AWS the functions made through the proxy.
    pub(crate) calls: u64,
    pub(crate) told: &'a [Experience],
    pub(crate) seen: &'a [Seen],
    pub(crate) handled: &'a [Handled],
    /// After the faults.
    pub(crate) settled: &'a Settled,
    /// After the repetition of all messages, and how many those were.
    pub(crate) repeated: (usize, &'a Settled),
    /// How long everything took, with starting and deploying.
    pub(crate) took: Duration,
    /// What is wrong; nothing is expected.
    pub(crate) violations: &'a [String],
    /// What the audit read and found.
    pub(crate) audit: &'a crate::audit::Report,
}

/// What became of the records that one function was called with.
#[derive(Debug, Default, PartialEq, Eq)]
struct Attempts {
    handled: u64,
    ok: u64,
    again: u64,
    dead: u64,
    most: u64,
}

impl Findings<'_> {
    /// The report. It names nothing of the machine that it was made on.
    pub(crate) fn markdown(&self) -> anyhow::Result<String> {
        let mut text = String::new();
        let plan = self.plan;
        writeln!(text, "# The last run of chaos\n")?;
        writeln!(text, "Written by `{}`.\n", self.command)?;
        writeln!(
            text,
            "{} orders went through the front door of a local stack in {} while the faults below happened to it. \
             Then the faults stopped, the system settled, dead letters were sent back, and every message that \
             there ever was, was delivered once more. The same seed makes the same plan (SHA-256 `{}`); when each \
             thing really happens depends on the machine, so two runs are alike and not the same.\n",
            plan.orders.len(),
            seconds(Duration::from_millis(plan.span_ms)),
            plan.hash()?.get(..16).unwrap_or_default(),
        )?;
        writeln!(
            text,
            "Two things are not as deployed: the queues give a message whose function was killed out again after {} s \
             and not 180, so that a run takes minutes; and microburst, which stands between the functions and the \
             emulator, signs what it passes on in the name of the root user, so that roles are not checked.\n",
            super::settle::VISIBILITY
        )?;
        let verdict = if self.violations.is_empty() { "**No violation.**" } else { "**Violations:**" };
        writeln!(text, "{verdict}\n")?;
        for violation in self.violations {
            writeln!(text, "- {violation}")?;
        }
        if !self.violations.is_empty() {
            writeln!(text)?;
        }
        self.outcome(&mut text)?;
        self.faults(&mut text)?;
        self.attempts(&mut text)?;
        self.judgement(&mut text)?;
        Ok(text)
    }

    fn judgement(&self, text: &mut String) -> anyhow::Result<()> {
        let ids: usize = self.told.iter().map(|told| told.ids.len()).sum();
        let lines = [
            format!("each of the {ids} answers of 201 names the one order of its `Idempotency-Key`, as it was asked for;"),
            "every order is final, no queue holds anything, nothing waits in the outbox;".to_owned(),
            "every paid order was charged once at the provider, no other order was charged;".to_owned(),
            "nothing is held; what is sold is what the paid orders hold, the rest of what was put in is there;".to_owned(),
            "no final order became another when all messages came again.".to_owned(),
        ];
        writeln!(
            text,
            "## What was judged\n\nOf all {} orders, through the front door, that\n",
            self.seen.len()
        )?;
        for line in lines {
            writeln!(text, "- {line}")?;
        }
        let read: Vec<String> =
            self.audit.counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
        writeln!(
            text,
            "\nAnd by `cargo xtask audit --settled`, every rule of [CORRECTNESS.md](CORRECTNESS.md), on what was read \
             from tables, queues and provider: {}. Violations: {}.",
            read.join(", "),
            self.audit.violations.len()
        )?;
        Ok(())
    }

    fn outcome(&self, text: &mut String) -> anyhow::Result<()> {
        writeln!(text, "## Orders\n\n| outcome | orders |\n|---|--:|")?;
        let mut outcomes: BTreeMap<&str, u64> = BTreeMap::new();
        for seen in self.seen {
            *outcomes.entry(&seen.status).or_default() += 1;
        }
        for (status, count) in outcomes {
            writeln!(text, "| {status} | {count} |")?;
        }
        let missing = self.plan.orders.len().saturating_sub(self.seen.len());
        writeln!(text, "| never arrived: the client gave up and did not ask again | {missing} |\n")?;
        let sum = |of: fn(&Experience) -> u32| self.told.iter().map(of).sum::<u32>();
        let wishes = |status| self.told.iter().filter(|told| told.cancelled == Some(status)).count();
        writeln!(text, "| | |\n|---|--:|")?;
        let mut row = |name: &str, value: String| writeln!(text, "| {name} | {value} |");
        row("requests to place an order", sum(|told| told.requests).to_string())?;
        row("requests repeated because no good answer came", sum(|told| told.repeated).to_string())?;
        row("wishes to cancel that were taken", wishes(202).to_string())?;
        row("wishes to cancel that came too late", wishes(409).to_string())?;
        let expired = self.told.iter().filter(|told| told.expired).count();
        row("orders given up by the clock while they were on their way, or later", expired.to_string())?;
        row("time until all had settled", seconds(self.settled.took))?;
        let (messages, after) = self.repeated;
        row("messages repeated after that, all of them", messages.to_string())?;
        row("time until they had settled", seconds(after.took))?;
        let redriven = self.settled.redriven.values().chain(after.redriven.values()).sum::<u64>();
        row("dead letters sent back", redriven.to_string())?;
        let expiries = self.settled.expiries + after.expiries;
        row("times that `expire-orders` had to end what nothing else moved on", expiries.to_string())?;
        row("the whole run, with starting and deploying the stack", seconds(self.took))?;
        writeln!(text)?;
        Ok(())
    }

    fn faults(&self, text: &mut String) -> anyhow::Result<()> {
        let sum = |of: fn(&str) -> bool| -> u64 {
            self.faults.iter().filter(|(name, _)| of(name)).map(|(_, count)| count).sum()
        };
        let (killed, provider) =
            (sum(|name| name.starts_with(KILLED)), sum(|name| name.starts_with(PROVIDER)));
        let again = sum(|name| name.starts_with(AGAIN));
        let aws = sum(|_| true).saturating_sub(killed).saturating_sub(provider).saturating_sub(again);
        writeln!(text, "## Faults that happened\n")?;
        writeln!(
            text,
            "{killed} processes killed, {provider} failures of the payment provider, {aws} failures of AWS in {} \
             calls, {again} old messages delivered again.\n",
            self.calls
        )?;
        writeln!(text, "| fault | times |\n|---|--:|")?;
        for (name, count) in self.faults.iter().filter(|(_, count)| **count > 0) {
            writeln!(text, "| {name} | {count} |")?;
        }
        writeln!(text)?;
        Ok(())
    }

    fn attempts(&self, text: &mut String) -> anyhow::Result<()> {
        writeln!(text, "## Attempts\n")?;
        writeln!(text, "As the functions logged them; a function that was killed logged nothing.\n")?;
        writeln!(
            text,
            "| function | handled | well | to come again | to the dead letters | most attempts |"
        )?;
        writeln!(text, "|---|--:|--:|--:|--:|--:|")?;
        for (function, attempts) in attempts(self.handled) {
            let Attempts { handled, ok, again, dead, most } = attempts;
            writeln!(text, "| {function} | {handled} | {ok} | {again} | {dead} | {most} |")?;
        }
        writeln!(text)?;
        Ok(())
    }
}

fn attempts(handled: &[Handled]) -> BTreeMap<&str, Attempts> {
    let mut functions: BTreeMap<&str, Attempts> = BTreeMap::new();
    for one in handled {
        let function = functions.entry(&one.function).or_default();
        function.handled += 1;
        function.ok += u64::from(one.outcome == "ok");
        function.dead += u64::from(one.dead_letter);
        function.again += u64::from(one.outcome != "ok" && !one.dead_letter);
        function.most = function.most.max(one.attempt);
    }
    functions
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_counted_by_function_and_outcome() {
        let line = |outcome: &str, attempt: u64, dead: bool| {
            let line = format!(
                r#"{{"message":"handled","function":"f","outcome":"{outcome}","attempt":{attempt},"dead_letter":{dead}}}"#
            );
            crate::logs::parse("1", jiff::Timestamp::UNIX_EPOCH, "f", &line).unwrap()
        };
        let handled = [line("ok", 1, false), line("retry", 1, false), line("retry", 5, true)];
        let expected = Attempts { handled: 3, ok: 1, again: 1, dead: 1, most: 5 };
        assert_eq!(attempts(&handled), BTreeMap::from([("f", expected)]));
    }
}
