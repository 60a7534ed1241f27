//! The search service: `index-order`, `search-orders`, and customers that search.

mod check;
mod ports;

use std::sync::Arc;
use std::time::Duration;

use domain::OrderId;
use http::{Method, StatusCode};
use orders::store::Orders;
use platform::clock::timeout;
use platform::http::Scope;
use platform::{Clock, lock};
use search::adapters::HttpProductNames;
use search::adapters::memory::InMemoryRows;
use search::api::{Api, router};
use search::index_order::IndexOrder;
use search::postings::PostingsIndex;
use search::store::OrderImages;
use serde_json::{Value, json};

use super::client::{AFTER_FAULTS, ApiRequest, user};
use super::handler::Handler;
use super::{Assemble, Service};
use crate::ports::{Ports, now};
use crate::world::World;

/// The part of the world.
#[derive(Default)]
pub struct State {
    /// The tables of the index.
    pub rows: InMemoryRows,
}

/// The search service.
pub struct Search;

impl Service for Search {
    fn name(&self) -> &'static str {
        "search"
    }

    fn functions(&self) -> &'static [(&'static str, Assemble)] {
        &[("index-order", index_order), ("search-orders", search_orders)]
    }

    fn start(&self, world: &Arc<World>) {
        let searches = world.sim.random(|rng| rng.usize(0..=2));
        for _ in 0..searches {
            let ports = Ports::of_client(world, "customer");
            let (wait, customer, word) = world.sim.random(|rng| {
                let word = ["ada", "", "TEA", "example.com"][rng.usize(0..4)];
                (Duration::from_millis(rng.u64(0..180_000)), rng.u8(0..4), word)
            });
            world.sim.scheduler.spawn(async move {
                ports.caller.sleep(wait).await;
                search_own(&ports, &format!("c-{customer}"), word).await;
            });
        }
        if world.sim.random(|rng| rng.u8(0..4)) == 0 {
            let wait = world.sim.random_delay(Duration::from_secs(300));
            let (rebuilt, scheduler) = (Arc::clone(world), world.sim.scheduler.clone());
            scheduler.schedule_in_flight(wait, move || rebuild(&rebuilt));
        }
    }

    /// An operator rebuilds the index after the last faults, if the stream has skipped changes.
    fn finish(&self, world: &Arc<World>) {
        let rebuilt = Arc::clone(world);
        world.sim.scheduler.schedule_in_flight(AFTER_FAULTS, move || {
            let index = rebuilt.wiring.streams.iter().position(|stream| stream.function == "IndexOrder");
            let streams = lock(&rebuilt.streams);
            let stream = index.and_then(|index| streams.get(index));
            let has_skipped = stream.is_some_and(|stream| !stream.exhausted.is_empty());
            drop(streams);
            if has_skipped {
                rebuild(&rebuilt);
            }
        });
    }

    fn check(&self, world: &World) -> Vec<String> {
        let orders = world.orders.all();
        let mut violations: Vec<String> = check::check_rows(world);
        for order in orders.values() {
            violations.extend(check::check_found(world, order));
        }
        violations
    }

    fn final_state(&self, world: &World) -> String {
        let records = world.parts.search.rows.all_records();
        // A replay may look up a name again that was unavailable before, so records may gain terms.
        let documents = records.values().map(|record| {
            record.document.as_ref().map(|document| (document.order_id, document.version, document.status))
        });
        format!("{:?}", documents.collect::<Vec<_>>())
    }
}

fn indexer(ports: &Ports) -> IndexOrder {
    let clock = Arc::new(ports.caller.clone());
    let names = HttpProductNames::new(ports.clone(), "http://inventory-api", clock.clone());
    IndexOrder { index: Arc::new(PostingsIndex::new(ports.clone(), clock)), names: Arc::new(names) }
}

fn index_order(ports: &Ports) -> Handler {
    Handler::stream(ports, indexer(ports))
}

/// Indexes all orders again, as `shopctl search rebuild` does, which ends with the first call that fails.
fn rebuild(world: &Arc<World>) {
    let ports = Ports::of_client(world, "rebuild");
    world.sim.scheduler.spawn(async move {
        for segment in 0..SEGMENTS {
            let rebuilt = timeout(&ports.caller, REBUILD_TIMEOUT, index_segment(&ports, segment)).await;
            ports.caller.log(|| format!("rebuild of segment {segment}: {rebuilt:?}"));
        }
    });
}

/// Indexes the orders in a segment one after the other, so that the order of the calls depends on the seed only.
async fn index_segment(ports: &Ports, segment: u32) -> anyhow::Result<()> {
    let indexer = indexer(ports);
    let mut after = None;
    loop {
        let page = OrderImages::read_page(ports, segment, SEGMENTS, after.as_ref()).await?;
        for image in &page.images {
            indexer.index(image).await?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// The number of segments of the orders table that a rebuild reads.
const SEGMENTS: u32 = 2;
/// The time after which an operator ends a rebuild that hangs.
const REBUILD_TIMEOUT: Duration = Duration::from_secs(600);

fn search_orders(ports: &Ports) -> Handler {
    let index = PostingsIndex::new(ports.clone(), Arc::new(ports.caller.clone()));
    Handler::api(ports, router(Api { index: Arc::new(index) }))
}

/// Adds the change of an order to the stream of the orders table.
pub fn order_written(world: &World, order: OrderId) {
    if !world.services.iter().any(|service| service.name() == Search.name()) {
        return;
    }
    let Ok(Some(stored)) = now(Orders::get(&world.orders, order)) else { return };
    let kind = if stored.version == 1 { "INSERT" } else { "MODIFY" };
    let text = serde_json::to_string(&stored.value).unwrap_or_default();
    let image = json!({ "order_id": order, "version": stored.version, "order": text });
    world.table_changed("OrdersTable", kind, json!({ "order_id": order }), Some(image));
}

/// Searches as a customer, who gets no order of another one.
async fn search_own(ports: &Ports, customer: &str, word: &str) {
    let request = ApiRequest {
        function: "search-orders",
        caller: user(customer, false, &[Scope::OrdersRead]),
        method: Method::GET,
        path: &format!("/search/orders?q={word}"),
        header: None,
        body: Value::Null,
    };
    let Some((status, page)) = request.send(ports).await else { return };
    let hits = page["hits"].as_array().cloned().unwrap_or_default();
    if status != StatusCode::OK || hits.iter().any(|hit| hit["customer_id"] != customer) {
        ports.world.report_violation(format!("{customer} searched for {word:?} and got {status}: {page}"));
    }
}
