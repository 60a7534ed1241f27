//! The report of a run, as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use shopctl::logs::Handled;

use super::api_checker::CustomerOrder;
use super::clients::ClientLog;
use super::plan::Plan;
use super::settle::Settled;

/// The prefixes of fault names, by which the report adds them up.
pub(super) const KILLED: &str = "processes killed";
pub(super) const PROVIDER: &str = "provider";
pub(super) const REDELIVERED: &str = "messages redelivered at random";

/// The data of a report.
pub(crate) struct Findings<'a> {
    pub(crate) plan: &'a Plan,
    /// The command line that repeats the run.
    pub(crate) command: String,
    /// How often each fault occurred, by name.
    pub(crate) faults: &'a BTreeMap<String, u64>,
    /// The number of AWS calls that the functions made through the proxy.
    pub(crate) calls: u64,
    pub(crate) logs: &'a [ClientLog],
    /// The number of requests in the clients' history, and of those with an unknown result.
    pub(crate) history: (usize, usize),
    pub(crate) orders: &'a [CustomerOrder],
    pub(crate) handled: &'a [Handled],
    /// How the system settled after the faults.
    pub(crate) settled: &'a Settled,
    /// The number of messages redelivered at the end, and how the system settled after that.
    pub(crate) redelivered: (usize, &'a Settled),
    /// The duration of the run, including starting and deploying the stack.
    pub(crate) duration: Duration,
    /// The violations found.
    pub(crate) violations: &'a [String],
    /// The result of the audit.
    pub(crate) audit: &'a shopctl::audit::Report,
}

/// The outcomes of the records that one function handled.
#[derive(Debug, Default, PartialEq, Eq)]
struct Attempts {
    handled: u64,
    succeeded: u64,
    to_retry: u64,
    dead_lettered: u64,
    max_attempts: u64,
}

impl Findings<'_> {
    /// Renders the report. It contains nothing that identifies the machine.
    pub(crate) fn markdown(&self) -> anyhow::Result<String> {
        let mut text = String::new();
        let plan = self.plan;
        writeln!(text, "# Chaos test report\n")?;
        writeln!(text, "Written by `{}`.\n", self.command)?;
        writeln!(
            text,
            "{} orders were placed through the API of a local stack in {} while the faults below were injected. \
             Then the faults stopped, the system settled, dead-letter messages were redriven, and every message \
             ever sent was delivered once more. The same seed produces the same plan (SHA-256 `{}`); the exact \
             timing depends on the machine, so two runs are similar but not identical.\n",
            plan.orders.len(),
            seconds(Duration::from_millis(plan.span_ms)),
            plan.hash()?.get(..16).unwrap_or_default(),
        )?;
        writeln!(
            text,
            "Two things differ from a deployment: the visibility timeout of the queues is {} s instead of 180, so that \
             a run takes minutes; and microburst, the proxy between the functions and the emulator, signs the \
             requests that it forwards as the root user, so that IAM roles are not checked.\n",
            super::settle::VISIBILITY_TIMEOUT_SECONDS
        )?;
        let verdict = if self.violations.is_empty() { "**No violations.**" } else { "**Violations:**" };
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
        self.checks(&mut text)?;
        Ok(text)
    }

    fn checks(&self, text: &mut String) -> anyhow::Result<()> {
        let ids: usize = self.logs.iter().map(|log| log.ids.len()).sum();
        let (requests, unknown) = self.history;
        let lines = [
            format!("each of the {ids} responses with status 201 names the one order of its `Idempotency-Key`, as requested;"),
            "every order is final, and all queues and the outbox are empty;".to_owned(),
            "every paid order was charged once at the provider, and no other order was charged;".to_owned(),
            "no stock is reserved; the stock sold is that of the paid orders, and the rest of what was delivered is available;".to_owned(),
            "no final order changed when all messages were redelivered;".to_owned(),
            format!(
                "in the history of {requests} requests, {unknown} of them with an unknown result, no client saw an \
                 order move backwards, disappear, or in a state that it cannot have had."
            ),
        ];
        writeln!(text, "## Checks\n\nFor all {} orders, through the API:\n", self.orders.len())?;
        for line in lines {
            writeln!(text, "- {line}")?;
        }
        let read: Vec<String> =
            self.audit.counts.iter().map(|(what, count)| format!("{count} {}", what.trim())).collect();
        writeln!(
            text,
            "\n`cargo xtask audit --settled` checked every rule of [CORRECTNESS.md](CORRECTNESS.md) on the data read \
             from tables, queues and provider: {}. Violations: {}.",
            read.join(", "),
            self.audit.violations.len()
        )?;
        Ok(())
    }

    fn outcome(&self, text: &mut String) -> anyhow::Result<()> {
        writeln!(text, "## Orders\n\n| outcome | orders |\n|---|--:|")?;
        let mut outcomes: BTreeMap<&str, u64> = BTreeMap::new();
        for order in self.orders {
            *outcomes.entry(&order.status).or_default() += 1;
        }
        for (status, count) in outcomes {
            writeln!(text, "| {status} | {count} |")?;
        }
        let missing = self.plan.orders.len().saturating_sub(self.orders.len());
        writeln!(text, "| never created: the client gave up and did not retry | {missing} |\n")?;
        let sum = |field: fn(&ClientLog) -> u32| self.logs.iter().map(field).sum::<u32>();
        let cancellations = |status| self.logs.iter().filter(|log| log.cancel_status == Some(status)).count();
        writeln!(text, "| | |\n|---|--:|")?;
        let mut row = |name: &str, value: String| writeln!(text, "| {name} | {value} |");
        row("requests to place an order", sum(|log| log.requests).to_string())?;
        row("requests retried because they had no successful response", sum(|log| log.retries).to_string())?;
        row("cancellation requests accepted", cancellations(202).to_string())?;
        row("cancellation requests that came too late", cancellations(409).to_string())?;
        let expired = self.logs.iter().filter(|log| log.expired).count();
        row("orders expired by the scheduler, in progress or later", expired.to_string())?;
        row("time until the system had settled", seconds(self.settled.duration))?;
        let (messages, after) = self.redelivered;
        row("messages then redelivered (all of them)", messages.to_string())?;
        row("time until the system had settled again", seconds(after.duration))?;
        let redriven = self.settled.redriven.values().chain(after.redriven.values()).sum::<u64>();
        row("dead-letter messages redriven", redriven.to_string())?;
        let expiries = self.settled.expiries + after.expiries;
        row("runs of `expire-orders` needed to end orders that made no progress", expiries.to_string())?;
        row("the whole run, including starting and deploying the stack", seconds(self.duration))?;
        writeln!(text)?;
        Ok(())
    }

    fn faults(&self, text: &mut String) -> anyhow::Result<()> {
        let sum = |matches: fn(&str) -> bool| -> u64 {
            self.faults.iter().filter(|(name, _)| matches(name)).map(|(_, count)| count).sum()
        };
        let (killed, provider) =
            (sum(|name| name.starts_with(KILLED)), sum(|name| name.starts_with(PROVIDER)));
        let redelivered = sum(|name| name.starts_with(REDELIVERED));
        let aws = sum(|_| true).saturating_sub(killed).saturating_sub(provider).saturating_sub(redelivered);
        writeln!(text, "## Injected faults\n")?;
        writeln!(
            text,
            "{killed} processes killed, {provider} failures of the payment provider, {aws} failures of AWS in {} \
             calls, {redelivered} old messages redelivered.\n",
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
        writeln!(text, "As logged by the functions; a function that was killed logged nothing.\n")?;
        writeln!(
            text,
            "| function | handled | succeeded | to be retried | sent to the DLQ | max. attempts |"
        )?;
        writeln!(text, "|---|--:|--:|--:|--:|--:|")?;
        for (function, attempts) in attempts(self.handled) {
            let Attempts { handled, succeeded, to_retry, dead_lettered, max_attempts } = attempts;
            writeln!(
                text,
                "| {function} | {handled} | {succeeded} | {to_retry} | {dead_lettered} | {max_attempts} |"
            )?;
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
        function.succeeded += u64::from(one.outcome == "ok");
        function.dead_lettered += u64::from(one.dead_letter);
        function.to_retry += u64::from(one.outcome != "ok" && !one.dead_letter);
        function.max_attempts = function.max_attempts.max(one.attempt);
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
            shopctl::logs::parse("1", jiff::Timestamp::UNIX_EPOCH, "f", &line).unwrap()
        };
        let handled = [line("ok", 1, false), line("retry", 1, false), line("retry", 5, true)];
        let expected = Attempts { handled: 3, succeeded: 1, to_retry: 1, dead_lettered: 1, max_attempts: 5 };
        assert_eq!(attempts(&handled), BTreeMap::from([("f", expected)]));
    }
}
