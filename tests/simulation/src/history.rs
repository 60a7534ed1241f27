//! The history of the clients: what each request and response was, and what clients read at random moments while
//! faults occur. The rules are in [`invariants::history`].

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::OrderId;
use http::{Method, Request, StatusCode};
use invariants::history::{ClientRequest, ClientResponse, OrderState, check_history};
use orders::store::Stored;
use platform::{Clock, lock};
use serde_json::Value;

use crate::clients::{OrderRequest, send_request};
use crate::ports::Ports;
use crate::world::World;

/// How long an order is read with its previous state under [`crate::mutation::Mutation::StaleRead`].
const REPLICATION_LAG: Duration = Duration::from_secs(1);
/// The maximum time between two reads of a client: a short one while orders are usually in progress, and a long
/// one.
const READ_INTERVALS: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(300)];

/// The number of an operation in the history, until it has its response.
pub struct Recording {
    operation: usize,
    request: ClientRequest,
}

impl Recording {
    /// Records a request of a customer. `None` if it is not a request of [`ClientRequest`].
    pub fn start(ports: &Ports, customer: usize, request: &Request<Bytes>) -> Option<Self> {
        let path: Vec<&str> = request.uri().path().trim_start_matches('/').split('/').collect();
        let request = match (request.method(), path.as_slice()) {
            (&Method::POST, ["orders"]) => {
                let key = request.headers().get("idempotency-key")?.to_str().ok()?;
                ClientRequest::Place(key.to_owned())
            }
            (&Method::GET, ["orders"]) => ClientRequest::List,
            (&Method::GET, ["orders", order]) => ClientRequest::Get(order.parse().ok()?),
            (&Method::POST, ["orders", order, "cancel"]) => ClientRequest::Cancel(order.parse().ok()?),
            _ => return None,
        };
        let customer = format!("c-{customer}").parse().ok()?;
        let operation = lock(&ports.world.history).invoke(customer, request.clone(), ports.caller.elapsed());
        Some(Self { operation, request })
    }

    /// Records the response.
    pub fn complete(self, ports: &Ports, status: StatusCode, body: &Value) {
        match ClientResponse::from_http(&self.request, status.as_u16(), body) {
            Some(response) => {
                lock(&ports.world.history).complete(self.operation, response, ports.caller.elapsed());
            }
            None => ports.world.report_violation(format!("{:?} returned {status}: {body}", self.request)),
        }
    }
}

impl World {
    /// Records the state of an order after a write.
    pub(crate) fn record_state(&self, order: OrderId, state: OrderState) {
        lock(&self.history).record_state(order, state, self.sim.scheduler.now());
    }

    /// Records which state of an order has been replaced.
    pub(crate) fn record_replaced(&self, replaced: Stored) {
        lock(&self.replaced).insert(replaced.value.id, (self.sim.scheduler.now(), replaced));
    }

    /// The previous state of an order, if it was replaced within the [`REPLICATION_LAG`].
    pub(crate) fn stale(&self, order: OrderId) -> Option<Stored> {
        let (replaced_at, stored) = lock(&self.replaced).get(&order).cloned()?;
        (self.sim.scheduler.now() <= replaced_at.saturating_add(REPLICATION_LAG)).then_some(stored)
    }

    /// The order that a customer has seen last, and one of another customer.
    fn seen_orders(&self, customer: usize) -> (Option<OrderId>, Option<OrderId>) {
        let customer = format!("c-{customer}");
        let history = lock(&self.history);
        let find = |is_own: bool| {
            let mut views = history.operations.iter().rev().flat_map(|operation| operation.views());
            views.find(|view| (view.customer.as_str() == customer) == is_own).map(|view| view.id)
        };
        (find(true), find(false))
    }
}

/// Starts a client that makes this number of requests at random moments from `begin` on: it reads its order,
/// lists its orders, tries to read an order of another customer, and places an order too many.
pub fn start_reading(world: &Arc<World>, customer: usize, begin: Duration, reads: u32) {
    if reads == 0 {
        return;
    }
    let ports = Ports { caller: world.sim.new_caller("client").unkillable(), world: Arc::clone(world) };
    world.sim.scheduler.spawn(async move {
        ports.caller.sleep(begin).await;
        for _ in 0..reads {
            let (wait, what) = ports.caller.sim.random(|rng| {
                let [short, long] = READ_INTERVALS;
                let interval = if rng.u8(0..4) == 0 { long } else { short };
                (interval.mul_f64(rng.f64()), rng.u8(0..8))
            });
            ports.caller.sleep(wait).await;
            let own = ports.world.seen_orders(customer);
            match (what, own) {
                (0, (_, Some(foreign))) => read(&ports, customer, foreign).await,
                (1, (Some(_), _)) => place_too_many(&ports, customer).await,
                (2..6, (Some(order), _)) => read(&ports, customer, order).await,
                _ => list(&ports, customer).await,
            }
        }
    });
}

async fn read(ports: &Ports, customer: usize, order: OrderId) {
    let request = Request::builder().method(Method::GET).uri(format!("/orders/{order}"));
    drop(send_request(ports, customer, request, String::new()).await);
}

async fn list(ports: &Ports, customer: usize) {
    let request = Request::builder().method(Method::GET).uri("/orders");
    drop(send_request(ports, customer, request, String::new()).await);
}

/// Places an order with a new idempotency key, above the customer's limit of one order.
async fn place_too_many(ports: &Ports, customer: usize) {
    let request = Request::builder()
        .method(Method::POST)
        .uri("/orders")
        .header("idempotency-key", format!("key-{customer}-too-many"));
    let body = OrderRequest::simple().body(customer, &ports.world).to_string();
    drop(send_request(ports, customer, request, body).await);
}

/// Reads and lists every order once nothing is in progress any more, and checks the history.
pub fn check_settled(world: &Arc<World>, customers: usize) {
    let settled_at = world.sim.scheduler.now();
    lock(&world.history).settled_at = Some(settled_at);
    for customer in 0..customers {
        let ports = Ports { caller: world.sim.new_caller("client").unkillable(), world: Arc::clone(world) };
        world.sim.scheduler.spawn(async move {
            list(&ports, customer).await;
            if let (Some(order), _) = ports.world.seen_orders(customer) {
                read(&ports, customer, order).await;
            }
        });
    }
    world.sim.scheduler.run_until(settled_at.saturating_add(Duration::from_secs(60)));
    let mut history = lock(&world.history).clone();
    history.cancelled_by_others = world.observed.contradicted_orders();
    let without_response = history
        .operations
        .iter()
        .enumerate()
        .filter(|(_, operation)| operation.invoked_at >= settled_at && operation.returned_at.is_none());
    for (number, operation) in without_response {
        world.report_violation(format!("operation {number} got no response without a fault: {operation}"));
    }
    for violation in check_history(&history) {
        world.report_violation(violation.to_string());
    }
}
