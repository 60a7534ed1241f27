//! What the payment provider knows: Stripe's lists, or those of its stand-in.
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

use crate::http::Http;
use crate::stack::Stack;
use crate::{signals, ui};

/// The version of the API that the functions use.
const API_VERSION: &str = "2024-06-20";
/// The key, where it is not to be read from the stack's secret.
const KEY_VARIABLE: &str = "STRIPE_SECRET_KEY";

/// The account of one stack.
pub(super) struct Provider {
    http: Http,
    base: String,
    key: String,
}

impl Provider {
    /// The account that the stack's functions charge with: their address, and the key from their secret or from
    /// `STRIPE_SECRET_KEY`.
    pub(super) fn of(stack: &Stack) -> anyhow::Result<Self> {
        let base = stack.parameter("StripeApiBase")?;
        let base = base.or(stack.local.as_ref().map(|instance| instance.stand_in_url()));
        let base = base.context("the stack does not say where its payment provider is (StripeApiBase)")?;
        let key = match std::env::var(KEY_VARIABLE) {
            Ok(key) => key,
            Err(_) => secret(stack)?,
        };
        Ok(Self {
            http: Http::new(),
            base: base.trim_end_matches('/').to_owned(),
            key: key.trim().to_owned(),
        })
    }

    /// Every PaymentIntent that was made for an order.
    pub(super) fn intents(&self, progress: &ui::Progress) -> anyhow::Result<Vec<Intent>> {
        // Refunds first: a refund that is read has a capture that will be.
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
    pub(super) fn again(&self, snapshot: &mut Snapshot, order: OrderId) -> anyhow::Result<()> {
        // One that was made since is in the payment's record, and not yet in the list.
        let recorded = snapshot.payments.get(&order).and_then(|payment| match &payment.state {
            PaymentState::Charging { intent, .. } => intent.clone(),
            PaymentState::Succeeded { intent, .. } => Some(intent.clone()),
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
            let answer = self.get(&format!("payment_intents/{id}"))?;
            // One that is not there is what the rules are to find.
            if answer.status == 404 {
                continue;
            }
            let found = answer.success("reading a PaymentIntent")?;
            snapshot.intents.extend(read_intent(&found, &refunded)?);
        }
        Ok(())
    }

    fn list(&self, what: &str, progress: &ui::Progress) -> anyhow::Result<Vec<Value>> {
        self.pages(what, "", |count| progress.detail(&format!("{what}: {count}")))
    }

    fn pages(&self, what: &str, filter: &str, mut say: impl FnMut(usize)) -> anyhow::Result<Vec<Value>> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            signals::check()?;
            let last = all.last().and_then(|last| last.get("id")).and_then(Value::as_str);
            let after = last.map(|id| format!("&starting_after={id}")).unwrap_or_default();
            let page = self.get(&format!("{what}?limit=100{filter}{after}"))?;
            let mut page = page.success(&format!("reading {what} at {}", self.base))?;
            let data = page.get_mut("data").and_then(Value::as_array_mut).map(std::mem::take);
            let data = data.with_context(|| format!("the list of {what} is not as documented"))?;
            let more = page.get("has_more").and_then(Value::as_bool).unwrap_or(false) && !data.is_empty();
            all.extend(data);
            say(all.len());
            if !more {
                return Ok(all);
            }
        }
    }

    fn get(&self, path: &str) -> anyhow::Result<crate::http::Answer> {
        let bearer = format!("Bearer {}", self.key);
        let headers = [("authorization", bearer.as_str()), ("stripe-version", API_VERSION)];
        self.http.get_with(&format!("{}/v1/{path}", self.base), &headers)
    }
}

/// What the provider would say if it agreed with the payments' records: for an audit that cannot ask it.
pub(super) fn as_recorded(snapshot: &Snapshot) -> Vec<Intent> {
    let paid = snapshot.payments.values().filter_map(|payment| match &payment.state {
        PaymentState::Succeeded { intent, .. } => Some(Intent {
            id: intent.clone(),
            order_id: payment.order_id,
            captured: i64::from(payment.order.total.amount),
            refunded: 0,
        }),
        _ => None,
    });
    paid.collect()
}

/// A PaymentIntent that names an order; the account may have others, which are not ours.
fn read_intent(intent: &Value, refunded: &HashMap<String, i64>) -> anyhow::Result<Option<Intent>> {
    let order = intent.pointer("/metadata/order_id").and_then(Value::as_str);
    let Some(order_id) = order.and_then(|id| id.parse().ok()) else { return Ok(None) };
    let id = intent.get("id").and_then(Value::as_str).context("a PaymentIntent without an id")?;
    let captured = intent.get("amount_received").and_then(Value::as_i64);
    let captured = captured.with_context(|| format!("{id} has no amount_received"))?;
    let refunded = refunded.get(id).copied().unwrap_or_default();
    Ok(Some(Intent { id: id.parse()?, order_id, captured, refunded }))
}

/// The PaymentIntent and the amount of a refund that was, or is being, paid out.
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
    let secret =
        secret.with_context(|| format!("stack {} has no StripeSecret; set {KEY_VARIABLE}", stack.name))?;
    let call = stack.aws.secrets.get_secret_value().secret_id(&secret.physical_id).send();
    let answer = stack.aws.wait(call).map_err(|error| {
        let error = DisplayErrorContext(&error);
        anyhow::anyhow!(
            "cannot read the provider's key: {error}\nSet {KEY_VARIABLE}, or leave the provider out: --no-provider"
        )
    })?;
    answer.secret_string.context("the secret of the provider's key holds no text")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_an_intent_that_names_an_order_is_ours() {
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
        assert!(read_intent(&odd, &refunded).is_err(), "no figure is not the figure 0");
    }

    #[test]
    fn a_refund_that_failed_gave_nothing_back() {
        let refund = |status: &str| json!({"payment_intent": "pi_1", "amount": 5, "status": status});
        assert_eq!(refund_of(&refund("succeeded")), Some(("pi_1".to_owned(), 5)));
        assert_eq!(refund_of(&refund("pending")), Some(("pi_1".to_owned(), 5)));
        assert_eq!(refund_of(&refund("failed")), None);
        assert_eq!(refund_of(&refund("canceled")), None);
    }
}
