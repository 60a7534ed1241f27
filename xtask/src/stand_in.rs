//! The stand-in for Stripe that the local stack pays at: starting it, and making it fail.

use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::binaries::STAND_IN;
use crate::http::Http;
use crate::instance::Instance;
use crate::process::Service;
use crate::{ports, ui};

/// The stand-in of one local stack.
pub(crate) struct StandIn<'a> {
    instance: &'a Instance,
    pub(crate) service: Service,
}

impl<'a> StandIn<'a> {
    pub(crate) fn of(instance: &'a Instance) -> Self {
        let service = Service {
            name: "the Stripe stand-in",
            pid_file: instance.run().join("stripe-stand-in.pid"),
            marker: instance.stand_in_binary().display().to_string(),
            log: instance.log(STAND_IN),
        };
        Self { instance, service }
    }

    /// Starts it from the copy of its binary, unless that runs already.
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
        self.service.wait_until_ready(child, Duration::from_secs(10), || ports::answers(port))?;
        ui::success(&format!("{} listens on {}", self.service.name, self.instance.stand_in_url()));
        Ok(())
    }

    /// Stops it. Returns whether it was running.
    pub(crate) fn stop(&self) -> anyhow::Result<bool> {
        self.service.stop(Duration::from_secs(5))
    }
}

/// What a demonstration and a test ask of a running stand-in.
pub(crate) struct Control {
    http: Http,
    url: String,
}

impl Control {
    pub(crate) fn of(instance: &Instance) -> Self {
        Self { http: Http::new(), url: format!("{}/_control", instance.stand_in_url()) }
    }

    /// From now on, taking the money fails with 503 before anything happened: the next `times` times, or until
    /// [`Control::recover`].
    pub(crate) fn break_down(&self, times: Option<u32>) -> anyhow::Result<()> {
        self.fail(&json!({ "operation": "confirm", "effect": "before", "kind": "http_503", "times": times }))
    }

    /// Makes it fail in a way of its own: see `tests/stripe_stand_in/README.md`.
    pub(crate) fn fail(&self, fault: &Value) -> anyhow::Result<()> {
        let url = format!("{}/faults", self.url);
        self.http.post(&url, &[], fault)?.success("making the payment provider fail").map(drop)
    }

    /// The faults that were asked for since the last [`Control::recover`], and how often each has `fired`.
    pub(crate) fn faults(&self) -> anyhow::Result<Vec<Value>> {
        let faults = self.http.get(&format!("{}/faults", self.url))?.success("reading the faults")?;
        faults.as_array().cloned().context("the stand-in's list of faults is not as expected")
    }

    /// Lets it forget all idempotency keys, as the real one does after a day.
    pub(crate) fn forget_keys(&self) -> anyhow::Result<()> {
        let url = format!("{}/forget_keys", self.url);
        self.http.post(&url, &[], &Value::Null)?.success("making the provider forget its keys").map(drop)
    }

    /// Takes all faults away.
    pub(crate) fn recover(&self) -> anyhow::Result<()> {
        let url = format!("{}/faults", self.url);
        self.http.delete(&url)?.success("bringing the payment provider back").map(drop)
    }

    /// From now on, it sends what happens to payments to `url`, signed with `secret`.
    pub(crate) fn send_webhooks(&self, url: &str, secret: &str) -> anyhow::Result<()> {
        let endpoint = json!({ "url": url, "secret": secret });
        let answer = self.http.put(&format!("{}/webhook_endpoint", self.url), &[], &endpoint)?;
        answer.success("telling the payment provider where to send webhooks").map(drop)
    }

    /// How often money was taken for an order.
    pub(crate) fn captures(&self, order_id: &str) -> anyhow::Result<usize> {
        let url = format!("{}/charges?order_id={order_id}", self.url);
        let answer = self.http.get(&url)?.success("reading the charges")?;
        let charges = answer.as_array().context("the stand-in's list of charges is not as expected")?;
        Ok(charges.len())
    }
}
