//! The invariants of the index: each order is found as it is, and each record has its postings.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use domain::OrderId;
use domain::order::Order;
use search::adapters::memory::InMemoryRows;
use search::document::{Audience, Document};
use search::postings::store::{PostingPage, Record, Rows};
use search::postings::{Posting, PostingsIndex, Range};
use search::query::Query;
use search::store::OrderIndex;
use search::term::QueryWord;

use crate::ports::now;
use crate::world::World;

/// Each record has its postings.
pub(super) fn check_rows(world: &World) -> Vec<String> {
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
pub(super) fn check_found(world: &World, order: &Order) -> Option<String> {
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
