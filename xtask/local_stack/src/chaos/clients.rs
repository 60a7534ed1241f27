//! The clients of a run: each places one order as planned, and may cancel it.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use invariants::history::ClientRequest;
use serde_json::{Value, json};
use shopctl::api::Shop;
use shopctl::http::{Http, Response};
use terminal::signals;

use super::history::HistoryLog;
use super::plan::{Plan, PlannedOrder, Submission};

/// How long a client retries a request before the run fails.
const RETRY_TIMEOUT: Duration = Duration::from_secs(180);

/// What the clients of a run share.
pub(crate) struct RunContext<'a> {
    pub(crate) plan: &'a Plan,
    /// The API, with a machine token: it may place orders for every customer.
    pub(crate) shop: Shop,
    /// The invocation URL of `expire-orders`.
    pub(crate) expire_url: String,
    /// The start of the run.
    pub(crate) started: Instant,
    /// What the clients requested and saw.
    pub(crate) history: HistoryLog,
}

/// What one client sent and received.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClientLog {
    /// The number of the order in the plan.
    pub(crate) number: usize,
    /// The order ids of all 201 responses, in the order of arrival.
    pub(crate) ids: Vec<String>,
    /// Responses that reject a request. A correct run has none.
    pub(crate) rejections: Vec<String>,
    /// The number of requests to place the order.
    pub(crate) requests: u32,
    /// The number of retries after a missing response, a 429 or a 5xx.
    pub(crate) retries: u32,
    /// The status of the response to the cancellation request: 202, or 409 if it came too late.
    pub(crate) cancel_status: Option<u16>,
    /// Whether `expire-orders` was invoked for the order, and succeeded.
    pub(crate) expired: bool,
}

impl RunContext<'_> {
    /// The customer's id: each order has its own customer.
    pub(crate) fn customer(&self, number: usize) -> String {
        format!("chaos-{}-{number}", self.plan.seed)
    }

    /// Executes the plan for one order.
    ///
    /// # Errors
    /// When the API does not respond within [`RETRY_TIMEOUT`], or the user interrupts the run.
    pub(crate) fn run_client(&self, order: &PlannedOrder) -> anyhow::Result<ClientLog> {
        let mut log = ClientLog { number: order.number, ..ClientLog::default() };
        let until = Duration::from_millis(order.at_ms).saturating_sub(self.started.elapsed());
        signals::sleep(until)?;
        self.place(order, &mut log)?;
        let Some(id) = log.ids.first().cloned() else { return Ok(log) };
        if let Some(after) = order.cancelled_after_ms {
            signals::sleep(Duration::from_millis(after))?;
            let url = format!("{}/orders/{id}/cancel", self.shop.url());
            let (customer, cancel) = (self.customer(order.number), ClientRequest::Cancel(id.parse()?));
            let response = retry_until_response(&mut log.retries, || {
                self.history.record(&customer, cancel.clone(), || {
                    Http::default().post(&url, &[self.shop.authorization()], &Value::Null)
                })
            })
            .with_context(|| format!("cancelling order {id}"))?;
            log.cancel_status = Some(response.status);
            if !matches!(response.status, 202 | 409) {
                log.rejections.push(format!("cancelling the order: {} {}", response.status, response.body));
            }
        }
        if let Some(after) = order.expired_after_ms {
            signals::sleep(Duration::from_millis(after))?;
            log.expired =
                invoke_expire_orders(&self.expire_url, &json!({ "older_than_seconds": 0, "order_id": id }));
        }
        Ok(log)
    }

    fn place(&self, order: &PlannedOrder, log: &mut ClientLog) -> anyhow::Result<()> {
        let send_within = |limit| self.send(order, &Http::with_timeout(Duration::from_millis(limit)));
        match order.submission {
            Submission::Abandoned(after) => {
                log.requests += 1;
                let response = send_within(after).ok();
                if let Some(response) = response.filter(|response| response.status < 500) {
                    log.record(&response);
                }
                return Ok(());
            }
            Submission::TimedOut(after) => {
                log.requests += 1;
                match send_within(after) {
                    Ok(response) if response.status < 500 => log.record(&response),
                    _ => log.retries += 1,
                }
            }
            Submission::Concurrent => {
                let mut second = ClientLog::default();
                let both = std::thread::scope(|scope| {
                    let other = scope.spawn(|| self.send_with_retries(order, &mut second));
                    let this = self.send_with_retries(order, log);
                    this.and(other.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a client panicked"))))
                });
                log.merge(second);
                return both;
            }
            Submission::Once | Submission::Resubmitted(_) => {}
        }
        self.send_with_retries(order, log)?;
        if let Submission::Resubmitted(after) = order.submission {
            signals::sleep(Duration::from_millis(after))?;
            self.send_with_retries(order, log)?;
        }
        Ok(())
    }

    /// Sends the request until it has a response.
    fn send_with_retries(&self, order: &PlannedOrder, log: &mut ClientLog) -> anyhow::Result<()> {
        let http = Http::default();
        let before = log.retries;
        let response = retry_until_response(&mut log.retries, || self.send(order, &http))
            .with_context(|| format!("placing order {} of the plan", order.number))?;
        log.requests = log.requests.saturating_add(1).saturating_add(log.retries.saturating_sub(before));
        log.record(&response);
        Ok(())
    }

    fn send(&self, order: &PlannedOrder, http: &Http) -> anyhow::Result<Response> {
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
        self.history.record(&customer, ClientRequest::Place(customer.clone()), || {
            http.post(&format!("{}/orders", self.shop.url()), &headers, &body)
        })
    }
}

impl ClientLog {
    fn record(&mut self, response: &Response) {
        match response.body.get("id").and_then(Value::as_str) {
            Some(id) if response.status == 201 => self.ids.push(id.to_owned()),
            _ => self.rejections.push(format!("placing the order: {} {}", response.status, response.body)),
        }
    }

    fn merge(&mut self, other: Self) {
        self.ids.extend(other.ids);
        self.rejections.extend(other.rejections);
        self.requests = self.requests.saturating_add(other.requests);
        self.retries = self.retries.saturating_add(other.retries);
    }
}

/// Retries a request until its response is neither a 429 (Too Many Requests) nor a 5xx. Counts the retries.
fn retry_until_response(
    retries: &mut u32,
    request: impl Fn() -> anyhow::Result<Response>,
) -> anyhow::Result<Response> {
    let deadline = Instant::now() + RETRY_TIMEOUT;
    let mut wait = Duration::from_millis(200);
    loop {
        let failure = match request() {
            Ok(response) if response.status < 500 && response.status != 429 => return Ok(response),
            Ok(response) => anyhow::anyhow!("{} {}", response.status, response.body),
            Err(error) => error,
        };
        if Instant::now() > deadline {
            return Err(
                failure.context(format!("the request still failed after {} s", RETRY_TIMEOUT.as_secs()))
            );
        }
        signals::sleep(wait)?;
        wait = (wait * 2).min(Duration::from_secs(2));
        *retries = retries.saturating_add(1);
    }
}

/// Invokes `expire-orders`. Returns whether it succeeded: a fault may have been injected.
pub(crate) fn invoke_expire_orders(url: &str, input: &Value) -> bool {
    let response = Http::default().post_signed("lambda", url, input);
    response.is_ok_and(|response| response.status == 200 && response.body.get("expired").is_some())
}
