//! The payment provider: Stripe's lists, and the control API of its stand-in.

use anyhow::Context;
use aws_secrets::Secret;
use http::Method;
use platform::Clock;
use platform::clock::SystemClock;
use platform::http_client::HttpClient;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::stack::{ApiResponse, Stack, env_variable};

/// The version of Stripe's API that the functions use.
const API_VERSION: &str = "2024-06-20";
/// The maximum age of a PaymentIntent of this run, in seconds.
const MAX_AGE_SECONDS: i64 = 3600;

impl Stack {
    /// Returns the amount of every charge for an order, in minor units.
    ///
    /// # Errors
    /// When the provider does not respond as expected.
    pub async fn captures(&self, order: &str) -> anyhow::Result<Vec<u64>> {
        if self.emulator.is_none() {
            return self.listed_captures(order).await;
        }
        let charges = self.stripe(Method::GET, &format!("/_control/charges?order_id={order}"), None).await?;
        let list =
            charges.as_array().or_else(|| charges["charges"].as_array()).context("no list of charges")?;
        Ok(list.iter().filter_map(|charge| charge["amount"].as_u64()).collect())
    }

    /// Reads the charges from the list of PaymentIntents, newest first: a PaymentIntent is charged at most
    /// once.
    async fn listed_captures(&self, order: &str) -> anyhow::Result<Vec<u64>> {
        let key =
            Secret::new(self.aws.sdk_config(), self.output("StripeSecretArn")?.to_owned()).get().await?;
        let bearer = format!("Bearer {}", key.expose_secret().trim());
        let headers = [("authorization", bearer.as_str()), ("stripe-version", API_VERSION)];
        let oldest = SystemClock.now().as_second().saturating_sub(MAX_AGE_SECONDS);
        let (mut captured, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/payment_intents?limit=100{after}");
            let request = self.request(Method::GET, &self.stripe, &path, &headers, bytes::Bytes::new())?;
            let page = ApiResponse::read(self.client.send(request).await?)?;
            anyhow::ensure!(page.status.is_success(), "listing PaymentIntents: {page:?}");
            let intents = page.body["data"].as_array().context("no list of PaymentIntents")?;
            let of_order = intents.iter().filter(|intent| intent["metadata"]["order_id"] == order);
            captured.extend(
                of_order.filter_map(|intent| intent["amount_received"].as_u64()).filter(|sum| *sum > 0),
            );
            let last = intents.last();
            let is_old =
                last.and_then(|last| last["created"].as_i64()).is_none_or(|created| created < oldest);
            if is_old || page.body["has_more"] != true {
                return Ok(captured);
            }
            let last = last.and_then(|last| last["id"].as_str()).context("a PaymentIntent without an id")?;
            after = format!("&starting_after={last}");
        }
    }

    /// Injects a fault for an order, or for all orders if `order` is `None`. Returns the id of the fault.
    ///
    /// # Errors
    /// When the stand-in rejects the fault.
    pub async fn inject_fault(&self, order: Option<&str>, mut fault: Value) -> anyhow::Result<u64> {
        fault["order_id"] = order.into();
        let created = self.stripe(Method::POST, "/_control/faults", Some(&fault)).await?;
        created["id"].as_u64().with_context(|| format!("a fault without an id: {created}"))
    }

    /// Clears a fault.
    ///
    /// # Errors
    /// When the fault does not exist.
    pub async fn clear_fault(&self, fault: u64) -> anyhow::Result<()> {
        self.stripe(Method::DELETE, &format!("/_control/faults/{fault}"), None).await.map(drop)
    }

    /// Returns the signing secret of webhooks.
    ///
    /// # Errors
    /// When the secret cannot be read.
    pub async fn webhook_secret(&self) -> anyhow::Result<SecretString> {
        Secret::new(self.aws.sdk_config(), env_variable("E2E_WEBHOOK_SECRET_ID")?).get().await
    }

    /// Sets how the stand-in sends the future webhooks of an order: `normal`, `off` or `twice`.
    ///
    /// # Errors
    /// When the stand-in rejects the mode.
    pub async fn set_webhook_mode(&self, order: &str, mode: &str) -> anyhow::Result<()> {
        let path = format!("/_control/webhook_modes/{order}");
        self.stripe(Method::PUT, &path, Some(&json!({ "mode": mode }))).await.map(drop)
    }

    /// Returns the stand-in's webhook deliveries for an order, oldest first: `event`, `type`, `state`,
    /// `attempts`.
    ///
    /// # Errors
    /// When the stand-in does not respond as expected.
    pub async fn webhook_deliveries(&self, order: &str) -> anyhow::Result<Vec<Value>> {
        let path = format!("/_control/webhook_endpoint?order_id={order}");
        let shown = self.stripe(Method::GET, &path, None).await?;
        shown["deliveries"].as_array().cloned().context("no list of deliveries")
    }

    /// Makes the stand-in send a webhook again.
    ///
    /// # Errors
    /// When the event does not exist.
    pub async fn resend_webhook(&self, event: &str) -> anyhow::Result<()> {
        self.stripe(Method::POST, &format!("/_control/webhooks/{event}/resend"), None).await.map(drop)
    }

    async fn stripe(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = self.request(method, &self.stripe, path, &[], body.into())?;
        let response = ApiResponse::read(self.client.send(request).await?)?;
        anyhow::ensure!(response.status.is_success(), "{path}: {response:?}");
        Ok(response.body)
    }
}
