//! The customers, and what they want.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use domain::{DeliveryId, OrderId, ProductName, Sku};
use futures::FutureExt;
use http::{Method, Request, StatusCode};
use inventory::product::Offer;
use inventory::store::Products;
use platform::Clock;
use platform::clock::timeout;
use platform::http::{Caller, Precondition, Scope};
use platform::memory::lock;
use serde_json::{Value, json};

use crate::functions::Api;
use crate::ports::Ports;
use crate::world::World;

/// The two products.
const SKUS: [&str; 2] = ["TEA", "MUG"];
/// What one of either costs, in cents.
const CENTS: i64 = 500;
/// How long a client waits for an answer: as long as API Gateway does.
const PATIENCE: Duration = Duration::from_secs(29);
/// How often a client tries before it gives up.
const TRIES: u32 = 12;

/// An order, as a customer wants it.
#[derive(Debug, Clone)]
pub struct Wish {
    /// When it is placed, after the beginning.
    pub at: Duration,
    /// Pieces of each product.
    pub pieces: [u32; 2],
    /// The price of one that the customer was shown.
    pub cents: i64,
    /// How it is paid: `pm_visa`, `pm_declined`, `pm_slow`, `pm_unknown`.
    pub method: &'static str,
    /// When the customer wants to cancel it, after it was placed.
    pub cancel_after: Option<Duration>,
}

impl Wish {
    /// One piece of tea, paid by card.
    pub fn plain() -> Self {
        Self { at: Duration::ZERO, pieces: [1, 0], cents: CENTS, method: "pm_visa", cancel_after: None }
    }

    /// One at random.
    pub fn draw(rng: &mut fastrand::Rng) -> Self {
        let pieces = [rng.u32(0..=3), rng.u32(0..=2)];
        Self {
            at: Duration::from_millis(rng.u64(0..60_000)),
            pieces: if pieces == [0, 0] { [1, 0] } else { pieces },
            cents: if rng.u8(0..20) == 0 { CENTS - 1 } else { CENTS },
            method: ["pm_visa", "pm_visa", "pm_visa", "pm_declined", "pm_slow", "pm_unknown"]
                [rng.usize(0..6)],
            cancel_after: match rng.u8(0..10) {
                0..=1 => Some(Duration::from_millis(rng.u64(0..2_000))),
                2 => Some(Duration::from_millis(rng.u64(0..600_000))),
                _ => None,
            },
        }
    }

    fn body(&self, number: usize) -> Value {
        let lines: Vec<Value> = SKUS
            .iter()
            .zip(self.pieces)
            .filter(|(_, pieces)| *pieces > 0)
            .map(|(sku, pieces)| {
                json!({ "sku": sku, "quantity": pieces, "unit_price": { "amount": self.cents, "currency": "EUR" } })
            })
            .collect();
        json!({
            "customer": { "id": format!("c-{number}"), "name": "Ada Lovelace", "email": format!("c-{number}@example.com") },
            "payment_method": self.method,
            "lines": lines,
        })
    }
}

/// What clients were told.
#[derive(Debug, Default)]
pub struct Told {
    /// The order that each idempotency key led to.
    pub orders: BTreeMap<usize, OrderId>,
    /// How many clients are still at it.
    pub busy: usize,
}

/// Puts so many pieces of each product into stock.
pub fn stock_up(world: &World, pieces: [u32; 2]) {
    for (sku, pieces) in SKUS.iter().zip(pieces) {
        let price = serde_json::from_value(json!({ "amount": CENTS, "currency": "EUR" }));
        let (Ok(sku), Ok(name), Ok(delivery), Ok(price)) =
            (sku.parse::<Sku>(), "Something".parse::<ProductName>(), "first".parse::<DeliveryId>(), price)
        else {
            unreachable!("a product like any other")
        };
        let offer = Offer { name, price, tax_rate: None };
        drop(world.inventory.put(&sku, &offer, Precondition::None).now_or_never());
        drop(world.inventory.record_delivery(&sku, &delivery, pieces).now_or_never());
    }
}

/// Lets a customer loose.
pub fn send(world: &Arc<World>, number: usize, wish: Wish, told: &Arc<Mutex<Told>>) {
    let ports = Ports { caller: world.sim.caller("client").immortal(), world: Arc::clone(world) };
    let told = Arc::clone(told);
    lock(&told).busy += 1;
    world.sim.scheduler.spawn(async move {
        ports.caller.sleep(wish.at).await;
        if let Some(order) = place(&ports, number, &wish).await {
            let before = lock(&told).orders.insert(number, order);
            if before.is_some_and(|before| before != order) {
                ports.world.violated(format!("one idempotency key led to two orders: {before:?}, {order}"));
            }
            if let Some(wait) = wish.cancel_after {
                ports.caller.sleep(wait).await;
                cancel(&ports, number, order).await;
            }
        }
        lock(&told).busy -= 1;
    });
}

async fn place(ports: &Ports, number: usize, wish: &Wish) -> Option<OrderId> {
    let key = format!("key-{number}");
    let mut first = None;
    for attempt in 1..=TRIES {
        let body = wish.body(number).to_string();
        let request = Request::builder().method(Method::POST).uri("/orders").header("idempotency-key", &key);
        let (status, body) = ask(ports, number, request, body).await.unwrap_or_default();
        if status == StatusCode::CREATED {
            let id = body["id"].as_str().and_then(|id| id.parse::<OrderId>().ok());
            if first.is_some() && first != id {
                ports.world.violated(format!("one idempotency key led to two orders: {first:?}, {id:?}"));
            }
            first = id;
            // A client whose connection broke asks again, though the order is placed.
            if !ports.caller.sim.strikes(|swarm| swarm.impatient) {
                return id;
            }
        }
        ports.caller.note(|| format!("POST /orders was answered {status}"));
        if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
            ports.world.violated(format!("POST /orders was answered {status}: {body}"));
            return None;
        }
        ports.caller.sleep(Duration::from_secs(2).saturating_mul(attempt)).await;
    }
    first
}

async fn cancel(ports: &Ports, number: usize, order: OrderId) {
    for attempt in 1..=TRIES {
        let request = Request::builder().method(Method::POST).uri(format!("/orders/{order}/cancel"));
        let (status, _) = ask(ports, number, request, String::new()).await.unwrap_or_default();
        ports.caller.note(|| format!("cancelling {order} was answered {status}"));
        match status {
            StatusCode::ACCEPTED | StatusCode::CONFLICT => return,
            status if status.is_client_error() => {
                return ports.world.violated(format!("cancelling {order} was answered {status}"));
            }
            _ => ports.caller.sleep(Duration::from_secs(2).saturating_mul(attempt)).await,
        }
    }
}

/// One request of a customer, whose token the gateway has checked; nothing where no answer came in time.
async fn ask(
    ports: &Ports,
    number: usize,
    request: http::request::Builder,
    body: String,
) -> Option<(StatusCode, Value)> {
    let scopes = [Scope::OrdersRead, Scope::OrdersWrite].into_iter().collect();
    let caller = Caller::User { id: format!("c-{number}").parse().ok()?, is_staff: false, scopes };
    let request = request.header("content-type", "application/json").extension(caller);
    let request = request.body(Bytes::from(body)).ok()?;
    let answer = timeout(&ports.caller, PATIENCE, ports.request(Api::Orders, request)).await?.ok()?;
    Some((answer.status(), serde_json::from_slice(answer.body()).unwrap_or_default()))
}
