//! microburst: the proxy between the functions and the emulator that makes AWS fail
//! (<https://github.com/pingedbrain/microburst>).

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use shopctl::aws::{LOCAL_KEY, LOCAL_REGION};
use shopctl::http::Http;
use terminal::ui;
use xtask::tools::Tools;

use crate::instance::Instance;
use crate::ports;
use crate::service::Service;

/// The proxy of one local stack.
pub(crate) struct Proxy {
    service: Service,
    port: u16,
    upstream: String,
    http: Http,
}

impl Proxy {
    /// The proxy of a local stack.
    ///
    /// # Errors
    /// When the stack has none.
    pub(crate) fn new(instance: &Instance) -> anyhow::Result<Self> {
        let port = instance.proxy_port.context("this local stack has no proxy")?;
        let upstream = instance.endpoint();
        let service = Service {
            name: "microburst",
            pid_file: instance.run().join("microburst.pid"),
            marker: format!("microburst --upstream {upstream}"),
            log: instance.log("microburst"),
        };
        Ok(Self { service, port, upstream, http: Http::default() })
    }

    /// Starts it without any rules.
    pub(crate) fn start(&self, tools: &Tools) -> anyhow::Result<()> {
        ports::ensure_free(self.port, self.service.name)?;
        let mut command = Command::new(tools.python());
        command.args(["-m", "microburst", "--upstream", &self.upstream, "--host", "127.0.0.1", "--port"]);
        command.arg(self.port.to_string());
        // A signature is valid for one host, so the proxy signs each request for the emulator, as the root
        // user. A run therefore does not check the functions' roles; the other tests do.
        command.arg("--resign");
        for name in ["AWS_PROFILE", "AWS_SESSION_TOKEN"] {
            command.env_remove(name);
        }
        command
            .env("AWS_ACCESS_KEY_ID", LOCAL_KEY)
            .env("AWS_SECRET_ACCESS_KEY", LOCAL_KEY)
            .env("AWS_DEFAULT_REGION", LOCAL_REGION);
        let child = self.service.start(&mut command)?;
        let port = self.port;
        self.service.wait_until_ready(child, Duration::from_secs(60), || ports::is_listening(port))?;
        ui::success(&format!("microburst listens on http://127.0.0.1:{port}"));
        Ok(())
    }

    /// Stops it. Returns whether it was running.
    pub(crate) fn stop(&self) -> anyhow::Result<bool> {
        self.service.stop(Duration::from_secs(5))
    }

    /// Adds a rule. Returns its id.
    pub(crate) fn add_rule(&self, rule: &Value) -> anyhow::Result<u64> {
        let rules =
            self.http.patch(&self.url("rules"), &json!([rule]))?.success("adding a rule to microburst")?;
        let added = rules.as_array().and_then(|rules| rules.last());
        let id = added.and_then(|rule| rule.get("id")).and_then(Value::as_u64);
        id.with_context(|| format!("unexpected list of rules from microburst: {rules}"))
    }

    /// Removes all rules.
    pub(crate) fn clear_rules(&self) -> anyhow::Result<()> {
        let response = self.http.post(&self.url("rules"), &[], &json!([]))?;
        response.success("removing the rules of microburst").map(drop)
    }

    /// How often each rule fired, by rule id.
    pub(crate) fn fired_counts(&self) -> anyhow::Result<BTreeMap<u64, u64>> {
        let stats = self.stats()?;
        let rules = stats.get("by_rule").and_then(Value::as_array).cloned().unwrap_or_default();
        let number = |rule: &Value, name| rule.get(name).and_then(Value::as_u64);
        Ok(rules.iter().filter_map(|rule| Some((number(rule, "id")?, number(rule, "fired")?))).collect())
    }

    /// The number of AWS calls that the functions made through the proxy.
    pub(crate) fn call_count(&self) -> anyhow::Result<u64> {
        let stats = self.stats()?;
        let total = stats.pointer("/requests/total").and_then(Value::as_u64);
        total.context("unexpected statistics from microburst")
    }

    fn stats(&self) -> anyhow::Result<Value> {
        self.http.get(&self.url("stats"))?.success("reading microburst's statistics")
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/_microburst/{path}", self.port)
    }
}
