//! What the staff of the shop do while orders run: they change prices, and record deliveries of stock.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use platform::Clock;
use platform::http::{Caller, Scope};
use serde_json::{Value, json};

use crate::clients::{SKUS, UNIT_PRICE};
use crate::ports::Ports;
use crate::world::World;

/// The maximum number of attempts, and the wait between two of them.
const MAX_ATTEMPTS: u32 = 10;
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// Something that the staff do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task {
    /// When they do it, counted from the start of the run.
    pub at: Duration,
    /// The index of the product.
    pub product: usize,
    /// The change of the product.
    pub change: Change,
}

/// A change of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Sets the unit price, in cents.
    Price(i64),
    /// Records a delivery of this many units.
    Delivery(u32),
}

impl Task {
    /// A random change within the first minutes, when most orders are placed.
    pub fn random(rng: &mut fastrand::Rng) -> Self {
        let change = if rng.bool() {
            Change::Price(UNIT_PRICE + rng.i64(-1..=2) * 50)
        } else {
            Change::Delivery(rng.u32(1..=4))
        };
        Self { at: Duration::from_millis(rng.u64(0..120_000)), product: rng.usize(0..SKUS.len()), change }
    }

    fn path_and_body(self, number: usize) -> (String, Value) {
        let sku = SKUS.get(self.product).copied().unwrap_or_default();
        match self.change {
            Change::Price(cents) => {
                let price = json!({ "amount": cents, "currency": "EUR" });
                (format!("/products/{sku}"), json!({ "name": "Something", "price": price }))
            }
            Change::Delivery(quantity) => {
                (format!("/products/{sku}/deliveries/later-{number}"), json!({ "quantity": quantity }))
            }
        }
    }
}

/// Starts a task of the staff. They retry until they get a response.
pub fn start(world: &Arc<World>, number: usize, task: Task) {
    let ports = Ports { caller: world.sim.new_caller("staff").unkillable(), world: Arc::clone(world) };
    world.sim.scheduler.spawn(async move {
        ports.caller.sleep(task.at).await;
        let (path, body) = task.path_and_body(number);
        for _ in 0..MAX_ATTEMPTS {
            match send(&ports, &path, &body).await {
                Some(status) if status.is_success() => return,
                Some(status) if status.is_client_error() => {
                    return ports.world.report_violation(format!("PUT {path} returned {status}"));
                }
                status => ports.caller.log(|| format!("PUT {path} returned {status:?}")),
            }
            ports.caller.sleep(RETRY_INTERVAL).await;
        }
    });
}

async fn send(ports: &Ports, path: &str, body: &Value) -> Option<http::StatusCode> {
    let scopes = [Scope::InventoryWrite].into_iter().collect();
    let request = Request::builder()
        .method(Method::PUT)
        .uri(path)
        .header("content-type", "application/json")
        .extension(Caller::User { id: "staff".parse().ok()?, is_staff: true, scopes })
        .body(Bytes::from(body.to_string()))
        .ok()?;
    Some(ports.request_in_time("inventory-api", request).await?.status())
}
