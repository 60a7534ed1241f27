//! The search service: `index-order`, `search-orders`, and customers that search.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::OrderId;
use domain::order::Order;
use http::{Method, StatusCode};
use orders::store::Orders;
use platform::clock::timeout;
use platform::http::Scope;
use platform::{Clock, lock};
use search::adapters::HttpProductNames;
use search::adapters::memory::InMemoryRows;
use search::api::{Api, router};
use search::document::{Audience, Document};
use search::image::OrderImage;
use search::index_order::IndexOrder;
use search::postings::store::{PostingPage, Record, Rows};
use search::postings::{Posting, PostingsIndex, Range};
use search::query::Query;
use search::store::{ImagePage, OrderImages, OrderIndex};
use search::term::QueryWord;
use serde_json::{Value, json};

use super::client::{AFTER_FAULTS, ApiRequest, user};
use super::handler::Handler;
use super::{Assemble, Service};
use crate::mutation::Mutation;
use crate::ports::{Ports, now};
use crate::world::World;

/// The number of postings that one request of `BatchWriteItem` puts.
const BATCH_SIZE: usize = 25;

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
        let mut violations: Vec<String> = check_rows(world);
        for order in orders.values() {
            violations.extend(check_found(world, order));
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

#[async_trait]
impl OrderImages for Ports {
    /// Returns one order per page.
    async fn read_page(
        &self,
        segment: u32,
        total_segments: u32,
        after: Option<&OrderId>,
    ) -> anyhow::Result<ImagePage> {
        let after = after.copied();
        self.read("orders.scan", move |world| {
            let in_segment = |order: &OrderId| {
                let bytes = order.to_string().bytes().map(u32::from).sum::<u32>();
                bytes.checked_rem(total_segments) == Some(segment) && after.is_none_or(|after| *order > after)
            };
            let mut rest = world.orders.all().into_keys().filter(in_segment);
            let Some(order) = rest.next() else { return Ok(ImagePage::default()) };
            let stored = now(Orders::get(&world.orders, order))?;
            let images = stored.map(|stored| OrderImage { order: stored.value, version: stored.version });
            let next = rest.next().map(|_| order);
            Ok(ImagePage { images: images.into_iter().collect(), invalid_rows: Vec::new(), next })
        })
        .await
    }

    async fn find_missing(&self, orders: &[OrderId]) -> anyhow::Result<Vec<OrderId>> {
        let orders = orders.to_vec();
        self.read("orders.find_missing", move |world| {
            let all = world.orders.all();
            Ok(orders.iter().filter(|order| !all.contains_key(order)).copied().collect())
        })
        .await
    }
}

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

/// Each record has its postings.
fn check_rows(world: &World) -> Vec<String> {
    let (records, postings) = (world.parts.search.rows.all_records(), world.parts.search.rows.all_postings());
    let mut violations = Vec::new();
    for (id, record) in &records {
        let missing = record.postings().difference(&postings).count();
        if missing > 0 {
            violations.push(format!("{missing} postings of order {id} are missing from the index"));
        }
    }
    violations
}

/// An order is found by its id, its customer and a product, in each audience, as it is; and not by another status.
fn check_found(world: &World, order: &Order) -> Option<String> {
    let document = Document::from_order(order, 0, &Default::default());
    let sku = order.details.lines.iter().next().map(|line| line.sku.to_string()).unwrap_or_default();
    let words = [order.id.to_string(), order.details.customer.id.to_string(), sku, String::new()];
    let index =
        PostingsIndex::new(Direct(&world.parts.search.rows), Arc::new(world.sim.new_caller("search-orders")));
    for (audience, word) in
        document.audiences().iter().flat_map(|it| words.iter().map(move |word| (it, word)))
    {
        let Some(found) = find(&index, audience.clone(), word) else {
            return Some(format!("a search for {word:?} by {audience:?} failed"));
        };
        let hits: Vec<&Document> = found.iter().filter(|hit| hit.order_id == order.id).collect();
        let is_found = matches!(hits.as_slice(), [hit] if is_current(hit, order));
        if !is_found {
            return Some(format!(
                "a search for {word:?} by {audience:?} finds order {} as {:?}, and it is {:?}",
                order.id,
                hits.iter().map(|hit| hit.status).collect::<Vec<_>>(),
                order.status()
            ));
        }
        if let Some(foreign) = found.iter().find(|hit| !hit.audiences().contains(audience)) {
            return Some(format!("a search by {audience:?} finds order {}", foreign.order_id));
        }
    }
    None
}

fn is_current(hit: &Document, order: &Order) -> bool {
    let details = &order.details;
    let skus: BTreeSet<_> = details.lines.iter().map(|line| &line.sku).collect();
    hit.status == order.status()
        && hit.total == details.total
        && hit.placed_at == details.placed_at
        && hit.customer_id == details.customer.id
        && hit.email == details.customer.email
        && hit.products.keys().collect::<BTreeSet<_>>() == skus
}

/// All hits of a search without faults.
fn find(index: &PostingsIndex<Direct<'_>>, audience: Audience, word: &str) -> Option<Vec<Document>> {
    let mut query = Query {
        audience,
        words: QueryWord::parse_all(word),
        filters: Default::default(),
        limit: 2,
        after: None,
    };
    let mut found = Vec::new();
    loop {
        let page = now(index.search(&query)).ok()?;
        found.extend(page.hits.into_iter().map(|hit| hit.document));
        query.after = page.next;
        if query.after.is_none() {
            return Some(found);
        }
    }
}

#[async_trait]
impl Rows for Ports {
    async fn record(&self, order: OrderId) -> anyhow::Result<Option<Record>> {
        self.read("search.record", move |world| now(world.parts.search.rows.record(order))).await
    }

    async fn records(&self, orders: &[OrderId]) -> anyhow::Result<Vec<Record>> {
        let orders = orders.to_vec();
        self.read("search.records", move |world| now(world.parts.search.rows.records(&orders))).await
    }

    async fn write_record(&self, expected_stamp: Option<u64>, record: &Record) -> anyhow::Result<bool> {
        let record = record.clone();
        self.read("search.write_record", move |world| {
            if world.sim.should_inject(|rates| rates.conflict) {
                return Ok(false);
            }
            let rows = &world.parts.search.rows;
            let stored = now(rows.record(record.order_id))?;
            let expected_stamp = if world.has_mutation(Mutation::UnconditionalIndexWrite) {
                stored.as_ref().map(|stored| stored.stamp)
            } else {
                expected_stamp
            };
            let is_written = now(rows.write_record(expected_stamp, &record))?;
            let version = |record: &Record| record.document.as_ref().map(|document| document.version);
            if is_written && stored.as_ref().and_then(version) > version(&record) {
                world.report_violation(format!(
                    "the index replaces order {} by an older version",
                    record.order_id
                ));
            }
            Ok(is_written)
        })
        .await
    }

    /// One call for each batch, so that after a failure some postings exist.
    async fn put_postings(&self, postings: &[Posting]) -> anyhow::Result<()> {
        for batch in postings.chunks(BATCH_SIZE) {
            let batch = batch.to_vec();
            self.read("search.put_postings", move |world| now(world.parts.search.rows.put_postings(&batch)))
                .await?;
        }
        Ok(())
    }

    async fn remove_postings(
        &self,
        order: OrderId,
        stamp: u64,
        postings: &[Posting],
    ) -> anyhow::Result<bool> {
        let postings = postings.to_vec();
        self.read("search.remove_postings", move |world| {
            now(world.parts.search.rows.remove_postings(order, stamp, &postings))
        })
        .await
    }

    async fn read_postings(
        &self,
        range: &Range,
        after: Option<&Posting>,
        limit: usize,
    ) -> anyhow::Result<PostingPage> {
        let (range, after) = (range.clone(), after.cloned());
        self.read("search.read_postings", move |world| {
            now(world.parts.search.rows.read_postings(&range, after.as_ref(), limit))
        })
        .await
    }
}

/// The tables of the index without faults, for the check at the end.
struct Direct<'a>(&'a InMemoryRows);

#[async_trait]
impl Rows for Direct<'_> {
    async fn record(&self, order: OrderId) -> anyhow::Result<Option<Record>> {
        self.0.record(order).await
    }

    async fn records(&self, orders: &[OrderId]) -> anyhow::Result<Vec<Record>> {
        self.0.records(orders).await
    }

    async fn write_record(&self, _: Option<u64>, _: &Record) -> anyhow::Result<bool> {
        Ok(false)
    }

    async fn put_postings(&self, _: &[Posting]) -> anyhow::Result<()> {
        Ok(())
    }

    async fn remove_postings(&self, _: OrderId, _: u64, _: &[Posting]) -> anyhow::Result<bool> {
        Ok(false)
    }

    async fn read_postings(
        &self,
        range: &Range,
        after: Option<&Posting>,
        limit: usize,
    ) -> anyhow::Result<PostingPage> {
        self.0.read_postings(range, after, limit).await
    }
}
