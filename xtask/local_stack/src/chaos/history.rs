//! The history of a run: every request of its clients and of its readers, which read and list orders while
//! faults are injected.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use invariants::history::{ClientRequest, ClientResponse, History, Operation, check_history};
use shopctl::http::{Http, Response};
use terminal::signals;

use super::clients::RunContext;

/// How many readers run concurrently: one can see what another one has seen before.
pub(super) const READERS: u64 = 2;
/// The maximum time between two requests of a reader, in milliseconds.
const MAX_READ_INTERVAL_MS: u64 = 400;
/// How far lists may lag: they read an index, which DynamoDB usually updates within a second.
const LIST_LAG: Duration = Duration::from_secs(5);

/// Records the requests of all clients of a run. Times count from its start.
pub(crate) struct HistoryLog {
    started: Instant,
    history: Mutex<History>,
    /// Successful responses that are not what the API describes.
    unexpected: Mutex<Vec<String>>,
}

impl HistoryLog {
    pub(crate) fn new(started: Instant) -> Self {
        let history = Mutex::new(History { list_lag: LIST_LAG, ..History::default() });
        Self { started, history, unexpected: Mutex::default() }
    }

    /// Sends a request with `send`, and records it with its response.
    pub(crate) fn record(
        &self,
        customer: &str,
        request: ClientRequest,
        send: impl FnOnce() -> anyhow::Result<Response>,
    ) -> anyhow::Result<Response> {
        let id = customer.parse().context("the customer's id is invalid")?;
        let operation = lock(&self.history).invoke(id, request.clone(), self.started.elapsed());
        let response = send()?;
        match ClientResponse::from_http(&request, response.status, &response.body) {
            Some(seen) => lock(&self.history).complete(operation, seen, self.started.elapsed()),
            None => lock(&self.unexpected)
                .push(format!("{request:?}: unexpected response {} {}", response.status, response.body)),
        }
        Ok(response)
    }

    /// The id of the order that a response to this customer named last.
    fn order_of(&self, customer: &str) -> Option<String> {
        let history = lock(&self.history);
        let mut views = history.operations.iter().rev().flat_map(Operation::views);
        views.find(|view| view.customer.as_str() == customer).map(|view| view.id.to_string())
    }

    /// The number of requests, and of those with an unknown result.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let history = lock(&self.history);
        let unknown = history.operations.iter().filter(|one| one.response == ClientResponse::Unknown);
        (history.operations.len(), unknown.count())
    }

    /// Checks the history. Returns the violations.
    pub(crate) fn violations(&self) -> Vec<String> {
        let found = check_history(&lock(&self.history));
        let found = found.iter().map(|violation| format!("history: {violation}"));
        found.chain(lock(&self.unexpected).iter().cloned()).collect()
    }
}

impl RunContext<'_> {
    /// Reads and lists orders at random moments until `is_over`.
    pub(super) fn read_at_random(&self, reader: u64, is_over: &impl Fn() -> bool) -> anyhow::Result<()> {
        let mut random = fastrand::Rng::with_seed(self.plan.seed.wrapping_add(reader));
        while !is_over() {
            signals::sleep(Duration::from_millis(random.u64(0..MAX_READ_INTERVAL_MS)))?;
            let Some(order) = random.choice(&self.plan.orders) else { return Ok(()) };
            let customer = self.customer(order.number);
            // A failed request is part of the history: its result is unknown.
            let sent = match self.history.order_of(&customer) {
                Some(id) if random.u8(0..4) > 0 => self.read(&customer, &id),
                _ => self.list(&customer),
            };
            drop(sent);
        }
        Ok(())
    }

    /// Lists and reads the orders of all customers, once nothing is in progress any more.
    pub(super) fn read_settled(&self) -> anyhow::Result<()> {
        lock(&self.history.history).settled_at = Some(self.history.started.elapsed());
        for order in &self.plan.orders {
            let customer = self.customer(order.number);
            self.list(&customer)?;
            if let Some(id) = self.history.order_of(&customer) {
                self.read(&customer, &id)?;
            }
        }
        Ok(())
    }

    fn read(&self, customer: &str, id: &str) -> anyhow::Result<Response> {
        let request = ClientRequest::Get(id.parse().context("the order's id is invalid")?);
        let url = format!("{}/orders/{id}", self.shop.url());
        self.history
            .record(customer, request, || Http::default().get_with(&url, &[self.shop.authorization()]))
    }

    fn list(&self, customer: &str) -> anyhow::Result<Response> {
        let url = format!("{}/orders?customer_id={customer}", self.shop.url());
        let send = || Http::default().get_with(&url, &[self.shop.authorization()]);
        self.history.record(customer, ClientRequest::List, send)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ORDER: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn order(status: &str) -> Response {
        Response { status: 200, body: json!({ "id": ORDER, "status": status, "customer": { "id": "c" } }) }
    }

    #[test]
    fn an_order_that_moves_backwards_is_reported_with_both_requests() {
        let log = HistoryLog::new(Instant::now());
        let place = || ClientRequest::Place("k".to_owned());
        let placed = Response { status: 201, ..order("placed") };
        log.record("c", place(), || Ok(placed)).unwrap();
        let get = || ClientRequest::Get(ORDER.parse().unwrap());
        log.record("c", get(), || anyhow::bail!("timed out")).map(drop).unwrap_err();
        log.record("c", get(), || Ok(order("paid"))).unwrap();
        assert_eq!((log.violations(), log.counts()), (Vec::new(), (3, 1)));
        assert_eq!(log.order_of("c").as_deref(), Some(ORDER));
        log.record("c", get(), || Ok(order("reserved"))).unwrap();
        let found = log.violations();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("history: NeverBackwards: "), "{found:?}");
        assert!(found[0].contains("operation 2") && found[0].contains("operation 3"), "{found:?}");
    }

    #[test]
    fn a_response_that_the_api_does_not_describe_is_reported() {
        let log = HistoryLog::new(Instant::now());
        log.record("c", ClientRequest::List, || Ok(order("paid"))).unwrap();
        assert!(log.violations()[0].contains("unexpected response"));
    }
}
