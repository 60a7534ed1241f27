//! The customers: each places an order in the way that the plan says, and may cancel it.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::plan::{Plan, PlannedOrder, Sending};
use crate::api::Shop;
use crate::http::{Answer, Http};
use crate::signals;

/// How long a client asks again before it is told that the shop does not answer.
const PATIENCE: Duration = Duration::from_secs(180);

/// The shop and what customers need to know of it.
pub(crate) struct Shopfront<'a> {
    pub(crate) plan: &'a Plan,
    /// The API, for one of the shop's own programs: it may order for every customer.
    pub(crate) shop: Shop,
    /// Where `expire-orders` can be invoked.
    pub(crate) expire_url: String,
    /// When the run began.
    pub(crate) started: Instant,
}

/// What one customer saw.
#[derive(Debug, Clone, Default)]
pub(crate) struct Experience {
    /// The number of the order in the plan.
    pub(crate) number: usize,
    /// The ids in all answers of 201, in their order.
    pub(crate) ids: Vec<String>,
    /// Answers that say that the request is wrong; none is expected.
    pub(crate) refusals: Vec<String>,
    /// How many requests to place the order were sent.
    pub(crate) requests: u32,
    /// How many requests were sent again because no answer came, or one of 500 and above.
    pub(crate) repeated: u32,
    /// The status of the answer to the wish to cancel: 202, or 409 when it came too late.
    pub(crate) cancelled: Option<u16>,
    /// Whether `expire-orders` was told to give the order up, and did its work.
    pub(crate) expired: bool,
}

impl Shopfront<'_> {
    /// The customer's id: each order has a customer of its own.
    pub(crate) fn customer(&self, number: usize) -> String {
        format!("chaos-{}-{number}", self.plan.seed)
    }

    /// Does all that the plan says about one order.
    ///
    /// # Errors
    /// When the shop does not answer for minutes, or the person asks for an end.
    pub(crate) fn live(&self, order: &PlannedOrder) -> anyhow::Result<Experience> {
        let mut seen = Experience { number: order.number, ..Experience::default() };
        let until = Duration::from_millis(order.at_ms).saturating_sub(self.started.elapsed());
        signals::sleep(until)?;
        self.place(order, &mut seen)?;
        let Some(id) = seen.ids.first().cloned() else { return Ok(seen) };
        if let Some(after) = order.cancelled_after_ms {
            signals::sleep(Duration::from_millis(after))?;
            let url = format!("{}/orders/{id}/cancel", self.shop.url());
            let answer = until_answered(&mut seen.repeated, || {
                Http::new().post(&url, &[self.shop.authorization()], &Value::Null)
            })
            .with_context(|| format!("cancelling order {id}"))?;
            seen.cancelled = Some(answer.status);
            if !matches!(answer.status, 202 | 409) {
                seen.refusals.push(format!("cancelling: {} {}", answer.status, answer.body));
            }
        }
        if let Some(after) = order.expired_after_ms {
            signals::sleep(Duration::from_millis(after))?;
            seen.expired = expire(&self.expire_url, &json!({ "older_than_seconds": 0, "order_id": id }));
        }
        Ok(seen)
    }

    fn place(&self, order: &PlannedOrder, seen: &mut Experience) -> anyhow::Result<()> {
        let waiting = |limit| self.send(order, &Http::within(Duration::from_millis(limit)));
        match order.sending {
            Sending::Abandoned(after) => {
                seen.requests += 1;
                let answer = waiting(after).ok();
                if let Some(answer) = answer.filter(|answer| answer.status < 500) {
                    seen.take(&answer);
                }
                return Ok(());
            }
            Sending::GivenUp(after) => {
                seen.requests += 1;
                match waiting(after) {
                    Ok(answer) if answer.status < 500 => seen.take(&answer),
                    _ => seen.repeated += 1,
                }
            }
            Sending::TwiceAtOnce => {
                let mut second = Experience::default();
                let both = std::thread::scope(|scope| {
                    let other = scope.spawn(|| self.insist(order, &mut second));
                    let this = self.insist(order, seen);
                    this.and(other.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a client panicked"))))
                });
                seen.add(second);
                return both;
            }
            Sending::Once | Sending::Repeated(_) => {}
        }
        self.insist(order, seen)?;
        if let Sending::Repeated(after) = order.sending {
            signals::sleep(Duration::from_millis(after))?;
            self.insist(order, seen)?;
        }
        Ok(())
    }

    /// Sends the request until it is answered.
    fn insist(&self, order: &PlannedOrder, seen: &mut Experience) -> anyhow::Result<()> {
        let http = Http::new();
        let before = seen.repeated;
        let answer = until_answered(&mut seen.repeated, || self.send(order, &http))
            .with_context(|| format!("placing order {} of the plan", order.number))?;
        seen.requests = seen.requests.saturating_add(1).saturating_add(seen.repeated.saturating_sub(before));
        seen.take(&answer);
        Ok(())
    }

    fn send(&self, order: &PlannedOrder, http: &Http) -> anyhow::Result<Answer> {
        let customer = self.customer(order.number);
        let lines: Vec<Value> = order
            .lines
            .iter()
            .filter_map(|(product, quantity)| {
                let sku = &self.plan.products.get(*product)?.sku;
                let price = json!({ "amount": order.price_cents, "currency": "EUR" });
                Some(json!({ "sku": sku, "quantity": quantity, "unit_price": price }))
            })
            .collect();
        let body = json!({
            "customer": { "id": customer, "name": "Ada Lovelace", "email": format!("{customer}@example.com") },
            "payment_method": order.payment_method,
            "lines": lines,
        });
        let headers = [("idempotency-key", customer.as_str()), self.shop.authorization()];
        http.post(&format!("{}/orders", self.shop.url()), &headers, &body)
    }
}

impl Experience {
    fn take(&mut self, answer: &Answer) {
        match answer.body.get("id").and_then(Value::as_str) {
            Some(id) if answer.status == 201 => self.ids.push(id.to_owned()),
            _ => self.refusals.push(format!("placing: {} {}", answer.status, answer.body)),
        }
    }

    fn add(&mut self, other: Self) {
        self.ids.extend(other.ids);
        self.refusals.extend(other.refusals);
        self.requests = self.requests.saturating_add(other.requests);
        self.repeated = self.repeated.saturating_add(other.repeated);
    }
}

/// Repeats a request until it has an answer below 500 that is not "too many requests". Counts the repetitions.
fn until_answered(
    repeated: &mut u32,
    request: impl Fn() -> anyhow::Result<Answer>,
) -> anyhow::Result<Answer> {
    let deadline = Instant::now() + PATIENCE;
    let mut wait = Duration::from_millis(200);
    loop {
        let failure = match request() {
            Ok(answer) if answer.status < 500 && answer.status != 429 => return Ok(answer),
            Ok(answer) => anyhow::anyhow!("{} {}", answer.status, answer.body),
            Err(error) => error,
        };
        if Instant::now() > deadline {
            return Err(failure.context(format!("no answer within {} s", PATIENCE.as_secs())));
        }
        signals::sleep(wait)?;
        wait = (wait * 2).min(Duration::from_secs(2));
        *repeated = repeated.saturating_add(1);
    }
}

/// Invokes `expire-orders`. Returns whether it did its work; a fault may have struck it.
pub(crate) fn expire(url: &str, input: &Value) -> bool {
    let answer = Http::new().post_signed("lambda", url, input);
    answer.is_ok_and(|answer| answer.status == 200 && answer.body.get("expired").is_some())
}
