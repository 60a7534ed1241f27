//! The simulated clients, and the orders that they place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use domain::{DeliveryId, OrderId, ProductName, Sku};
use futures::FutureExt;
use http::{Method, Request, StatusCode};
use inventory::product::Offer;
use inventory::store::Products;
use platform::http::VerifiedEmail;
use platform::http::{Caller, Precondition, Scope};
use platform::{Clock, lock};
use serde_json::{Value, json};

use crate::history::Recording;
use crate::ports::Ports;
use crate::world::World;

/// The SKUs of the two products.
pub(crate) const SKUS: [&str; 2] = ["TEA", "MUG"];
/// The SKU of a free sample of the first product, with the same stock.
const SAMPLE: &str = "SAMPLE";
/// The unit price of the two products at the start, in cents.
pub(crate) const UNIT_PRICE: i64 = 500;
/// The preferred languages of customers: none, those of emails and documents, and one that they do not have.
const LANGUAGES: [Option<&str>; 4] = [None, Some("de"), Some("ja"), Some("pt")];
/// The maximum number of attempts of a client.
const MAX_ATTEMPTS: u32 = 12;

/// An order that a client is to place.
#[derive(Debug, Clone)]
pub struct OrderRequest {
    /// When the order is placed, counted from the start of the run.
    pub at: Duration,
    /// The quantity of each product.
    pub quantities: [u32; 2],
    /// The unit price that the client sends, in cents. 500 stands for the price that the catalogue
    /// shows when the order is placed. If it is 0, the order is for samples in place of the first product.
    pub unit_price: i64,
    /// The payment method: `pm_visa`, or another method of the in-memory provider.
    pub payment_method: &'static str,
    /// When the client cancels the order, counted from its creation.
    pub cancel_after: Option<Duration>,
    /// A second client with the same idempotency key.
    pub twin: Option<Twin>,
}

/// A second client of the same customer, which sends a request with the same idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Twin {
    /// How long after the first client it starts.
    pub after: Duration,
    /// Whether its request differs from that of the first client.
    pub differs: bool,
}

/// The payment methods other than `pm_visa`: declined, processing for a while and then charged or declined,
/// and one that does not exist.
const METHODS: [&str; 4] = ["pm_declined", "pm_slow", "pm_slow_declined", "pm_unknown"];

/// Whether a payment method cannot be charged.
pub(crate) fn is_declined(payment_method: &str) -> bool {
    matches!(payment_method, "pm_declined" | "pm_slow_declined" | "pm_unknown")
}

impl OrderRequest {
    /// One unit of tea, paid by card, at once.
    pub fn simple() -> Self {
        Self {
            at: Duration::ZERO,
            quantities: [1, 0],
            unit_price: UNIT_PRICE,
            payment_method: "pm_visa",
            cancel_after: None,
            twin: None,
        }
    }

    /// A random order.
    pub fn random(rng: &mut fastrand::Rng) -> Self {
        let quantities = [rng.u32(0..=3), rng.u32(0..=2)];
        Self {
            at: Duration::from_millis(rng.u64(0..60_000)),
            quantities: if quantities == [0, 0] { [1, 0] } else { quantities },
            unit_price: match rng.u8(0..20) {
                0 => UNIT_PRICE - 1,
                1 => 0,
                _ => UNIT_PRICE,
            },
            payment_method: if rng.bool() { "pm_visa" } else { METHODS[rng.usize(0..METHODS.len())] },
            cancel_after: match rng.u8(0..10) {
                0..=1 => Some(Duration::from_millis(rng.u64(0..2_000))),
                2 => Some(Duration::from_millis(rng.u64(0..600_000))),
                _ => None,
            },
            twin: (rng.u8(0..6) == 0)
                .then(|| Twin { after: Duration::from_millis(rng.u64(0..5_000)), differs: rng.bool() }),
        }
    }

    /// The body of the request, at the current prices.
    pub(crate) fn body(&self, number: usize, world: &World) -> Value {
        let products = world.inventory.products();
        let current = |sku: &str| {
            let product = products.iter().find(|product| product.sku.as_str() == sku);
            product.map_or(UNIT_PRICE, |product| i64::from(product.price.amount))
        };
        let ordered: Vec<(&str, u32)> = if self.unit_price == 0 {
            vec![(SAMPLE, self.quantities[0].max(1))]
        } else {
            SKUS.into_iter().zip(self.quantities).collect()
        };
        let lines: Vec<Value> = ordered
            .into_iter()
            .filter(|(_, quantity)| *quantity > 0)
            .map(|(sku, quantity)| {
                let price = if self.unit_price == UNIT_PRICE { current(sku) } else { self.unit_price };
                json!({ "sku": sku, "quantity": quantity, "unit_price": { "amount": price, "currency": "EUR" } })
            })
            .collect();
        json!({
            "customer": {
                "id": format!("c-{number}"), "name": "Ada Lovelace", "email": format!("c-{number}@example.com"),
                "language": LANGUAGES[number % LANGUAGES.len()],
                "address": { "recipient": "Ada", "street": "1 High St", "city": "London", "country": "GB" },
            },
            "payment_method": self.payment_method,
            "lines": lines,
        })
    }
}

/// The results that the clients have received.
#[derive(Debug, Default)]
pub struct ClientLog {
    /// The order that each client's idempotency key created.
    pub orders: BTreeMap<usize, OrderId>,
    /// The body of the request that was accepted with each client's idempotency key.
    pub accepted: BTreeMap<usize, String>,
    /// The requests that were refused because another one has their idempotency key.
    pub refused: BTreeSet<(usize, String)>,
    /// The number of clients that are not finished.
    pub active_clients: usize,
}

/// Creates the products and delivers their stock.
pub fn stock_up(world: &World, quantities: [u32; 2]) {
    let sold = SKUS.into_iter().zip(quantities).map(|(sku, quantity)| (sku, quantity, UNIT_PRICE));
    for (sku, quantity, cents) in sold.chain([(SAMPLE, quantities[0], 0)]) {
        let price = serde_json::from_value(json!({ "amount": cents, "currency": "EUR" }));
        let (Ok(sku), Ok(name), Ok(delivery), Ok(price)) =
            (sku.parse::<Sku>(), "Something".parse::<ProductName>(), "first".parse::<DeliveryId>(), price)
        else {
            unreachable!("the product is valid")
        };
        let offer = Offer { name, price, tax_rate: None };
        drop(world.inventory.put(&sku, &offer, Precondition::None).now_or_never());
        drop(world.inventory.record_delivery(&sku, &delivery, quantity).now_or_never());
    }
}

/// Starts a client, which places its order and may cancel it.
pub fn start(
    world: &Arc<World>,
    number: usize,
    order_request: OrderRequest,
    client_log: &Arc<Mutex<ClientLog>>,
) {
    let ports = Ports { caller: world.sim.new_caller("client").unkillable(), world: Arc::clone(world) };
    let client_log = Arc::clone(client_log);
    lock(&client_log).active_clients += 1;
    world.sim.scheduler.spawn(async move {
        ports.caller.sleep(order_request.at).await;
        let body = order_request.body(number, &ports.world);
        if let Some(twin) = order_request.twin {
            start_twin(&ports.world, number, twin, body.clone(), &client_log);
        }
        if let Some(order) = place(&ports, number, &body.to_string(), &client_log).await
            && let Some(wait) = order_request.cancel_after
        {
            ports.caller.sleep(wait).await;
            cancel(&ports, number, order).await;
        }
        lock(&client_log).active_clients -= 1;
    });
}

fn start_twin(
    world: &Arc<World>,
    number: usize,
    twin: Twin,
    mut body: Value,
    client_log: &Arc<Mutex<ClientLog>>,
) {
    let ports = Ports { caller: world.sim.new_caller("client").unkillable(), world: Arc::clone(world) };
    let client_log = Arc::clone(client_log);
    lock(&client_log).active_clients += 1;
    if twin.differs {
        body["payment_method"] = json!("pm_mastercard");
    }
    world.sim.scheduler.spawn(async move {
        ports.caller.sleep(twin.after).await;
        place(&ports, number, &body.to_string(), &client_log).await;
        lock(&client_log).active_clients -= 1;
    });
}

/// Places an order, with retries. Returns `None` if another request was accepted with the key.
async fn place(ports: &Ports, number: usize, body: &str, client_log: &Mutex<ClientLog>) -> Option<OrderId> {
    let key = format!("key-{number}");
    let mut first = None;
    for attempt in 1..=MAX_ATTEMPTS {
        let request = Request::builder().method(Method::POST).uri("/orders").header("idempotency-key", &key);
        let (status, response) =
            send_request(ports, number, request, body.to_owned()).await.unwrap_or_default();
        if status == StatusCode::CREATED {
            first = response["id"].as_str().and_then(|id| id.parse::<OrderId>().ok());
            accept(ports, number, body, first, client_log);
            // A client that has lost its connection retries, although the order was created.
            if !ports.caller.sim.should_inject(|rates| rates.disconnect) {
                return first;
            }
        }
        ports.caller.log(|| format!("POST /orders returned {status}"));
        // The key belongs to the request of the other client, which may not know yet that it was accepted.
        if status == StatusCode::UNPROCESSABLE_ENTITY && first.is_none() {
            let mut log = lock(client_log);
            log.refused.insert((number, body.to_owned()));
            return None;
        }
        if status.is_client_error() {
            ports.world.report_violation(format!("POST /orders returned {status}: {response}"));
            return None;
        }
        ports.caller.sleep(Duration::from_secs(2).saturating_mul(attempt)).await;
    }
    first
}

/// Records that a request was accepted: all requests with its key get the same order, and have its body.
fn accept(ports: &Ports, number: usize, body: &str, order: Option<OrderId>, client_log: &Mutex<ClientLog>) {
    let mut log = lock(client_log);
    let other = log.accepted.insert(number, body.to_owned()).filter(|other| other != body);
    let before = order.and_then(|order| log.orders.insert(number, order));
    drop(log);
    if other.is_some() {
        ports.world.report_violation("one idempotency key was accepted for two requests".to_owned());
    }
    if order.is_none() || before.is_some_and(|before| Some(before) != order) {
        ports
            .world
            .report_violation(format!("one idempotency key created two orders: {before:?}, {order:?}"));
    }
}

async fn cancel(ports: &Ports, number: usize, order: OrderId) {
    ports.world.observed.cancelled_by_client(order);
    for attempt in 1..=MAX_ATTEMPTS {
        let request = Request::builder().method(Method::POST).uri(format!("/orders/{order}/cancel"));
        let (status, _) = send_request(ports, number, request, String::new()).await.unwrap_or_default();
        ports.caller.log(|| format!("POST /orders/{order}/cancel returned {status}"));
        match status {
            StatusCode::ACCEPTED | StatusCode::CONFLICT => return,
            status if status.is_client_error() => {
                return ports
                    .world
                    .report_violation(format!("POST /orders/{order}/cancel returned {status}"));
            }
            _ => ports.caller.sleep(Duration::from_secs(2).saturating_mul(attempt)).await,
        }
    }
}

/// Sends one request as an authenticated customer, and records it in the history. `None` if no response arrives in
/// time.
pub(crate) async fn send_request(
    ports: &Ports,
    number: usize,
    request: http::request::Builder,
    body: String,
) -> Option<(StatusCode, Value)> {
    let scopes = [Scope::OrdersRead, Scope::OrdersWrite].into_iter().collect();
    let caller = Caller::User { id: format!("c-{number}").parse().ok()?, is_staff: false, scopes };
    let email = VerifiedEmail(format!("c-{number}@example.com").parse().ok());
    let request = request.header("content-type", "application/json").extension(caller).extension(email);
    let request = request.body(Bytes::from(body)).ok()?;
    let recording = Recording::start(ports, number, &request);
    let answer = ports.request_in_time("orders-api", request).await?;
    let (status, body) = (answer.status(), serde_json::from_slice(answer.body()).unwrap_or_default());
    if let Some(recording) = recording {
        recording.complete(ports, status, &body);
    }
    Some((status, body))
}
