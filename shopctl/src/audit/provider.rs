//! The PaymentIntents and refunds at the payment provider: Stripe, or its stand-in.
//!
//! Sources: <https://docs.stripe.com/api/payment_intents/list>, <https://docs.stripe.com/api/refunds/list>,
//! <https://docs.stripe.com/api/pagination>.

use std::collections::HashMap;

use anyhow::Context as _;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use domain::payment::PaymentState;
use domain::{OrderId, PaymentIntentId};
use invariants::{Intent, Snapshot};
use serde_json::Value;
use terminal::{signals, ui};

use crate::http::Http;
use crate::stack::Stack;

/// The version of Stripe's API that the functions use.
const API_VERSION: &str = "2024-06-20";
/// Environment variable with the key, which then is not read from the stack's secret.
const KEY_VARIABLE: &str = "STRIPE_SECRET_KEY";

/// The Stripe account of a stack.
pub(super) struct Provider {
    http: Http,
    base: String,
    key: String,
}

impl Provider {
    /// The account that the stack's functions charge with: at the same address, and with the key from their
    /// secret or from `STRIPE_SECRET_KEY`.
    pub(super) fn new(stack: &Stack) -> anyhow::Result<Self> {
        let base = stack.parameter("StripeApiBase")?;
        let base = base.context("the stack has no parameter StripeApiBase")?;
        let key = match std::env::var(KEY_VARIABLE) {
            Ok(key) => key,
            Err(_) => secret(stack)?,
        };
        Ok(Self {
            http: Http::default(),
            base: base.trim_end_matches('/').to_owned(),
            key: key.trim().to_owned(),
        })
    }

    /// All PaymentIntents with an order id.
    pub(super) fn intents(&self, progress: &ui::Progress) -> anyhow::Result<Vec<Intent>> {
        // Refunds first: the capture of a refund that is read now is then read too.
        let mut refunded: HashMap<String, i64> = HashMap::new();
        for refund in self.list("refunds", progress)? {
            if let Some((intent, amount)) = refund_of(&refund) {
                let sum = refunded.entry(intent).or_default();
                *sum = sum.saturating_add(amount);
            }
        }
        let mut intents = Vec::new();
        for intent in self.list("payment_intents", progress)? {
            intents.extend(read_intent(&intent, &refunded)?);
        }
        Ok(intents)
    }

    /// Reads the known PaymentIntents of one order again.
    pub(super) fn read_order_again(&self, snapshot: &mut Snapshot, order: OrderId) -> anyhow::Result<()> {
        // A PaymentIntent created since the first read is in the payment's record only.
        let recorded = snapshot.payments.get(&order).and_then(|payment| match &payment.state {
            PaymentState::Charging { intent, .. } => intent.clone(),
            PaymentState::Succeeded { intent, .. } => intent.clone(),
            PaymentState::Declined { .. } | PaymentState::Voided { .. } => None,
        });
        let known = snapshot.intents.iter().filter(|intent| intent.order_id == order);
        let mut ids: Vec<PaymentIntentId> = known.map(|intent| intent.id.clone()).collect();
        ids.extend(recorded.filter(|id| !ids.contains(id)));
        snapshot.intents.retain(|intent| intent.order_id != order);
        for id in ids {
            let mut refunded: HashMap<String, i64> = HashMap::new();
            for refund in self.pages("refunds", &format!("&payment_intent={id}"), |_| ())? {
                if let Some((intent, amount)) = refund_of(&refund) {
                    let sum = refunded.entry(intent).or_default();
                    *sum = sum.saturating_add(amount);
                }
            }
            let response = self.get(&format!("payment_intents/{id}"))?;
            // A missing PaymentIntent is left to the rules to find.
            if response.status == 404 {
                continue;
            }
            let found = response.success("reading a PaymentIntent")?;
            snapshot.intents.extend(read_intent(&found, &refunded)?);
        }
        Ok(())
    }

    fn list(&self, resource: &str, progress: &ui::Progress) -> anyhow::Result<Vec<Value>> {
        self.pages(resource, "", |count| progress.detail(&format!("{resource}: {count}")))
    }

    fn pages(
        &self,
        resource: &str,
        filter: &str,
        mut on_page: impl FnMut(usize),
    ) -> anyhow::Result<Vec<Value>> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            signals::check()?;
            let last = all.last().and_then(|last| last.get("id")).and_then(Value::as_str);
            let after = last.map(|id| format!("&starting_after={id}")).unwrap_or_default();
            let page = self.get(&format!("{resource}?limit=100{filter}{after}"))?;
            let mut page = page.success(&format!("reading {resource} at {}", self.base))?;
            let data = page.get_mut("data").and_then(Value::as_array_mut).map(std::mem::take);
            let data = data.with_context(|| format!("the list of {resource} has no array `data`"))?;
            let more = page.get("has_more").and_then(Value::as_bool).unwrap_or(false) && !data.is_empty();
            all.extend(data);
            on_page(all.len());
            if !more {
                return Ok(all);
            }
        }
    }

    fn get(&self, path: &str) -> anyhow::Result<crate::http::Response> {
        let bearer = format!("Bearer {}", self.key);
        let headers = [("authorization", bearer.as_str()), ("stripe-version", API_VERSION)];
        self.http.get_with(&format!("{}/v1/{path}", self.base), &headers)
    }
}

/// The PaymentIntents as the payments' records imply them, for an audit without the provider.
pub(super) fn recorded_intents(snapshot: &Snapshot) -> Vec<Intent> {
    let paid = snapshot.payments.values().filter_map(|payment| match &payment.state {
        PaymentState::Succeeded { intent: Some(intent), .. } => Some(Intent {
            id: intent.clone(),
            order_id: payment.order_id,
            captured: i64::from(payment.order.total.amount),
            refunded: 0,
        }),
        _ => None,
    });
    paid.collect()
}

/// Parses a PaymentIntent with an order id. Others in the account do not belong to the shop.
fn read_intent(intent: &Value, refunded: &HashMap<String, i64>) -> anyhow::Result<Option<Intent>> {
    let order = intent.pointer("/metadata/order_id").and_then(Value::as_str);
    let Some(order_id) = order.and_then(|id| id.parse().ok()) else { return Ok(None) };
    let id = intent.get("id").and_then(Value::as_str).context("a PaymentIntent has no id")?;
    let captured = intent.get("amount_received").and_then(Value::as_i64);
    let captured = captured.with_context(|| format!("{id} has no amount_received"))?;
    let refunded = refunded.get(id).copied().unwrap_or_default();
    Ok(Some(Intent { id: id.parse()?, order_id, captured, refunded }))
}

/// The PaymentIntent and the amount of a refund, unless it failed or was canceled.
fn refund_of(refund: &Value) -> Option<(String, i64)> {
    let status = refund.get("status").and_then(Value::as_str);
    if matches!(status, Some("failed" | "canceled")) {
        return None;
    }
    Some((refund.get("payment_intent")?.as_str()?.to_owned(), refund.get("amount")?.as_i64()?))
}

fn secret(stack: &Stack) -> anyhow::Result<String> {
    let resources = stack.resources()?;
    let secret = resources.iter().find(|resource| resource.logical_id == "StripeSecret");
    let secret = secret.with_context(|| {
        format!("stack {} has no resource StripeSecret; set {KEY_VARIABLE}", stack.name())
    })?;
    let call = stack.aws.secrets.get_secret_value().secret_id(&secret.physical_id).send();
    let response = stack.aws.wait(call).map_err(|error| {
        let error = DisplayErrorContext(&error);
        anyhow::anyhow!("cannot read the provider's key: {error}\nSet {KEY_VARIABLE}, or add --no-provider")
    })?;
    response.secret_string.context("the secret with the provider's key contains no text")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_intents_with_an_order_id_are_read() {
        let order = "01890a5d-ac96-774b-bcce-b302099a8057";
        let ours = json!({"id": "pi_1", "amount_received": 700, "metadata": {"order_id": order}});
        let refunded = HashMap::from([("pi_1".to_owned(), 200)]);
        let intent = read_intent(&ours, &refunded).unwrap().unwrap();
        assert_eq!((intent.captured, intent.refunded), (700, 200));
        assert_eq!(intent.order_id.to_string(), order);
        for theirs in
            [json!({"id": "pi_2", "metadata": {}}), json!({"id": "pi_3", "metadata": {"order_id": "7"}})]
        {
            assert_eq!(read_intent(&theirs, &refunded).unwrap(), None);
        }
        let odd = json!({"id": "pi_1", "metadata": {"order_id": order}});
        assert!(read_intent(&odd, &refunded).is_err(), "a missing amount is not 0");
    }

    #[test]
    fn failed_refunds_are_ignored() {
        let refund = |status: &str| json!({"payment_intent": "pi_1", "amount": 5, "status": status});
        assert_eq!(refund_of(&refund("succeeded")), Some(("pi_1".to_owned(), 5)));
        assert_eq!(refund_of(&refund("pending")), Some(("pi_1".to_owned(), 5)));
        assert_eq!(refund_of(&refund("failed")), None);
        assert_eq!(refund_of(&refund("canceled")), None);
    }
}
