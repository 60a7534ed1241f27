//! Injects the faults of the plan, each at its time, and counts those that took effect.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use shopctl::Stack;
use terminal::{signals, ui};

use super::faults::Fault;
use super::plan::Plan;
use super::proxy::Proxy;
use super::recorder::Recorder;
use super::report::{KILLED, PROVIDER, REDELIVERED};
use crate::instance::Instance;
use crate::service::kill_matching;
use crate::stand_in::Control;

/// Injects faults into a stack.
pub(crate) struct FaultInjector<'a> {
    pub(crate) instance: &'a Instance,
    pub(crate) stack: &'a Stack,
    pub(crate) proxy: &'a Proxy,
    pub(crate) recorder: Recorder,
    pub(crate) provider: Control,
    /// The names of microburst's rules, by rule id.
    rules: BTreeMap<u64, String>,
    /// How often each fault occurred, by name.
    counts: BTreeMap<String, u64>,
}

impl<'a> FaultInjector<'a> {
    pub(crate) fn new(
        instance: &'a Instance,
        stack: &'a Stack,
        proxy: &'a Proxy,
        recorder: Recorder,
    ) -> Self {
        let (rules, counts) = (BTreeMap::new(), BTreeMap::new());
        Self { instance, stack, proxy, recorder, provider: Control::new(instance), rules, counts }
    }

    /// Injects the faults of the plan until its time is over. The progress also shows `status`.
    pub(crate) fn run(
        &mut self,
        plan: &Plan,
        started: Instant,
        progress: &ui::Progress,
        status: impl Fn() -> String,
    ) -> anyhow::Result<()> {
        let total = plan.faults.len();
        for (index, planned) in plan.faults.iter().enumerate() {
            let wait = Duration::from_millis(planned.at_ms).saturating_sub(started.elapsed());
            signals::sleep(wait)?;
            self.inject(&planned.fault)?;
            progress.detail(&format!("{} of {total} faults · {}", index + 1, status()));
        }
        signals::sleep(Duration::from_millis(plan.span_ms).saturating_sub(started.elapsed()))
    }

    fn inject(&mut self, fault: &Fault) -> anyhow::Result<()> {
        match fault {
            Fault::Kill(function) => {
                let killed = self.kill(function);
                self.count(format!("{KILLED}: {function}"), killed);
            }
            Fault::Provider(fault) => self.provider.inject_fault(fault)?,
            Fault::ForgetKeys => {
                self.provider.forget_keys()?;
                self.count(format!("{PROVIDER} forgot its idempotency keys"), 1);
            }
            Fault::Aws { name, rule } => {
                let id = self.proxy.add_rule(rule)?;
                self.rules.insert(id, name.clone());
            }
            Fault::Redeliver { messages, seed } => {
                self.recorder.catch_up(self.stack)?;
                let sent = self.recorder.redeliver(self.stack, *messages, *seed)?;
                self.count(REDELIVERED.to_owned(), sent);
            }
        }
        Ok(())
    }

    /// Kills the processes of one function of this stack only: they run from its folder, and Lambda's
    /// environment names the function.
    fn kill(&self, function: &str) -> usize {
        let part = format!("-{function}-");
        kill_matching(&format!("{}/", self.instance.tmp().display()), |pid| {
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let environment = String::from_utf8_lossy(&environment).into_owned();
            let mut variables = environment.split('\0');
            variables.any(|one| {
                one.strip_prefix("AWS_LAMBDA_FUNCTION_NAME=").is_some_and(|name| name.contains(&part))
            })
        })
    }

    /// Removes all faults, and counts how often those of the provider and of AWS fired.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        self.proxy.clear_rules()?;
        for fault in self.provider.faults()? {
            let text = |name| fault.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
            let name =
                format!("{PROVIDER} {}: {} {} the effect", text("operation"), text("kind"), text("effect"));
            let fired = fault.get("fired").and_then(serde_json::Value::as_u64).unwrap_or_default();
            *self.counts.entry(name).or_default() += fired;
        }
        self.provider.clear_faults()?;
        for (id, fired) in self.proxy.fired_counts()? {
            if let Some(name) = self.rules.get(&id) {
                *self.counts.entry(name.clone()).or_default() += fired;
            }
        }
        self.rules.clear();
        Ok(())
    }

    /// Adds `times` occurrences of a fault.
    pub(crate) fn count(&mut self, name: String, times: usize) {
        *self.counts.entry(name).or_default() += u64::try_from(times).unwrap_or(u64::MAX);
    }

    /// How often each fault occurred, by name.
    pub(crate) fn counts(&self) -> &BTreeMap<String, u64> {
        &self.counts
    }
}
