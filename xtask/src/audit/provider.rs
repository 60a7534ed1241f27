//! What the payment provider has, by the lists of its API: <https://docs.stripe.com/api/payment_intents/list>,
//! <https://docs.stripe.com/api/refunds/list>.

use std::collections::BTreeMap;

use anyhow::Context as _;
use domain::{OrderId, PaymentIntentId};
use invariants::Intent;
use serde_json::Value;

use crate::http::Http;

/// The most that one page holds.
const PAGE: usize = 100;

/// The provider's API.
pub(super) struct Provider {
    pub(super) base: String,
    pub(super) key: String,
}

impl Provider {
    /// Every PaymentIntent that names one of our orders. `each` hears how many there are so far.
    pub(super) fn intents(&self, each: &dyn Fn(usize)) -> anyhow::Result<Vec<Intent>> {
        let mut refunded: BTreeMap<String, i64> = BTreeMap::new();
        for refund in self.all("refunds", &|_| {})? {
            // Pending ones are on their way to the customer; failed and cancelled ones came back to us.
            let counts = matches!(refund["status"].as_str(), Some("succeeded" | "pending"));
            if let (true, Some(intent), Some(amount)) =
                (counts, refund["payment_intent"].as_str(), refund["amount"].as_i64())
            {
                let sum = refunded.entry(intent.to_owned()).or_default();
                *sum = sum.saturating_add(amount);
            }
        }
        let all = self.all("payment_intents", each)?;
        Ok(all.iter().filter_map(|intent| read(intent, &refunded)).collect())
    }

    fn all(&self, what: &str, each: &dyn Fn(usize)) -> anyhow::Result<Vec<Value>> {
        let http = Http::new();
        let mut found: Vec<Value> = Vec::new();
        loop {
            let after = found.last().and_then(|last| last["id"].as_str());
            let after = after.map(|id| format!("&starting_after={id}")).unwrap_or_default();
            let url = format!("{}/v1/{what}?limit={PAGE}{after}", self.base);
            let answer = http.get_with(&url, &[("authorization", &format!("Bearer {}", self.key))])?;
            let mut page = answer.success("reading the payment provider's list")?;
            let data = page["data"].as_array_mut().map(std::mem::take);
            let data = data.with_context(|| format!("the provider's list of {what} is not as documented"))?;
            let more = page["has_more"].as_bool().unwrap_or_default() && !data.is_empty();
            found.extend(data);
            each(found.len());
            if !more {
                return Ok(found);
            }
        }
    }
}

/// `None` for what others have charged with the same account.
fn read(intent: &Value, refunded: &BTreeMap<String, i64>) -> Option<Intent> {
    let id: PaymentIntentId = intent["id"].as_str()?.parse().ok()?;
    let order_id: OrderId = intent["metadata"]["order_id"].as_str()?.parse().ok()?;
    let captured = intent["amount_received"].as_i64().unwrap_or_default();
    let refunded = refunded.get(id.as_str()).copied().unwrap_or_default();
    Some(Intent { id, order_id, captured, refunded })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_intent_is_what_was_received_less_what_was_given_back() {
        let order = "0190b2a4-9c5e-7d3a-8f21-6b7c8d9e0f10";
        let intent =
            json!({ "id": "pi_1", "amount": 900, "amount_received": 900, "metadata": { "order_id": order } });
        let read_it = read(&intent, &BTreeMap::from([("pi_1".to_owned(), 300)])).unwrap();
        assert_eq!(
            (read_it.captured, read_it.refunded, read_it.order_id.to_string()),
            (900, 300, order.to_owned())
        );
        assert_eq!(
            read(&json!({ "id": "pi_2", "amount_received": 1, "metadata": {} }), &BTreeMap::new()),
            None
        );
    }
}
