//! The Stripe stand-in of a local stack: starts it, and controls its faults.

use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use shopctl::http::Http;
use terminal::ui;
use xtask::functions::STAND_IN;

use crate::instance::Instance;
use crate::ports;
use crate::service::Service;

/// The stand-in of one local stack.
pub(crate) struct StandIn<'a> {
    instance: &'a Instance,
    pub(crate) service: Service,
}

impl<'a> StandIn<'a> {
    pub(crate) fn new(instance: &'a Instance) -> Self {
        let service = Service {
            name: "the Stripe stand-in",
            pid_file: instance.run().join("stripe-stand-in.pid"),
            marker: instance.stand_in_binary().display().to_string(),
            log: instance.log(STAND_IN),
        };
        Self { instance, service }
    }

    /// Starts the copy of its binary, unless it is running.
    pub(crate) fn start(&self) -> anyhow::Result<()> {
        if self.service.pid().is_some() {
            return Ok(());
        }
        ports::ensure_free(self.instance.stand_in_port, self.service.name)?;
        let mut command = Command::new(self.instance.stand_in_binary());
        command.args(["--port", &self.instance.stand_in_port.to_string(), "--state"]);
        command.arg(self.instance.state().join("stripe.json"));
        let child = self.service.start(&mut command)?;
        let port = self.instance.stand_in_port;
        self.service.wait_until_ready(child, Duration::from_secs(10), || ports::is_listening(port))?;
        ui::success(&format!("{} listens on {}", self.service.name, self.instance.stand_in_url()));
        Ok(())
    }

    /// Stops it. Returns whether it was running.
    pub(crate) fn stop(&self) -> anyhow::Result<bool> {
        self.service.stop(Duration::from_secs(5))
    }
}

/// The control API of a running stand-in.
pub(crate) struct Control {
    http: Http,
    url: String,
}

impl Control {
    pub(crate) fn new(instance: &Instance) -> Self {
        Self { http: Http::default(), url: format!("{}/_control", instance.stand_in_url()) }
    }

    /// Makes confirmations fail with 503 before they have an effect: the next `times` times, or until
    /// [`Control::clear_faults`].
    pub(crate) fn fail_confirmations(&self, times: Option<u32>) -> anyhow::Result<()> {
        let fault = json!({ "operation": "confirm", "effect": "before", "kind": "http_503", "times": times });
        self.inject_fault(&fault)
    }

    /// Injects a fault: see `tests/stripe_stand_in/README.md`.
    pub(crate) fn inject_fault(&self, fault: &Value) -> anyhow::Result<()> {
        let url = format!("{}/faults", self.url);
        self.http.post(&url, &[], fault)?.success("injecting a fault into the payment provider").map(drop)
    }

    /// The faults injected since the last [`Control::clear_faults`], and how often each has `fired`.
    pub(crate) fn faults(&self) -> anyhow::Result<Vec<Value>> {
        let url = format!("{}/faults", self.url);
        let faults = self.http.get(&url)?.success("reading the faults of the payment provider")?;
        faults.as_array().cloned().context("unexpected list of faults from the stand-in")
    }

    /// Makes it forget all idempotency keys, as Stripe may after a day.
    pub(crate) fn forget_keys(&self) -> anyhow::Result<()> {
        let url = format!("{}/forget_keys", self.url);
        let response = self.http.post(&url, &[], &Value::Null)?;
        response.success("clearing the idempotency keys of the payment provider").map(drop)
    }

    /// Removes all faults.
    pub(crate) fn clear_faults(&self) -> anyhow::Result<()> {
        let url = format!("{}/faults", self.url);
        self.http.delete(&url)?.success("removing the faults of the payment provider").map(drop)
    }

    /// Makes it send webhooks to `url`, signed with `secret`.
    pub(crate) fn send_webhooks(&self, url: &str, secret: &str) -> anyhow::Result<()> {
        let endpoint = json!({ "url": url, "secret": secret });
        let response = self.http.put(&format!("{}/webhook_endpoint", self.url), &[], &endpoint)?;
        response.success("configuring the webhooks of the payment provider").map(drop)
    }

    /// How often an order was charged.
    pub(crate) fn captures(&self, order_id: &str) -> anyhow::Result<usize> {
        let url = format!("{}/charges?order_id={order_id}", self.url);
        let response = self.http.get(&url)?.success("reading the charges")?;
        let charges = response.as_array().context("unexpected list of charges from the stand-in")?;
        Ok(charges.len())
    }
}
