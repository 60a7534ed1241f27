//! In-memory implementations of the ports, for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use async_trait::async_trait;
use domain::{OrderId, ProductName, Sku};
use platform::lock;
use platform::memory::InjectedFaults;

use crate::document::Document;
use crate::image::OrderImage;
use crate::postings::Posting;
use crate::postings::store::{MAX_RECORDS, MAX_REMOVALS, PostingPage, Record, Rows};
use crate::query::{Hit, Page, Position, Query};
use crate::store::{ImagePage, IndexOutcome, OrderImages, OrderIndex, ProductNames};
use crate::term::Match;

/// An index that scans all orders on every search: the reference implementation that others are compared
/// with.
#[derive(Debug, Default)]
pub struct InMemoryIndex {
    /// The documents; `None` for removed orders.
    documents: Mutex<BTreeMap<OrderId, Option<Document>>>,
    /// Faults of all calls.
    pub failures: InjectedFaults,
}

impl InMemoryIndex {
    /// Returns all documents that are not removed.
    pub fn documents(&self) -> BTreeMap<OrderId, Document> {
        let documents = lock(&self.documents);
        documents.iter().filter_map(|(order, document)| Some((*order, document.clone()?))).collect()
    }
}

#[async_trait]
impl OrderIndex for InMemoryIndex {
    async fn index(&self, document: Document) -> anyhow::Result<IndexOutcome> {
        self.failures.check("indexing")?;
        let mut documents = lock(&self.documents);
        let merged = match documents.get(&document.order_id) {
            Some(None) => return Ok(IndexOutcome::Removed),
            Some(Some(known)) => {
                let merged = document.merged_with(known);
                if merged == *known {
                    return Ok(IndexOutcome::Unchanged);
                }
                merged
            }
            None => document,
        };
        documents.insert(merged.order_id, Some(merged));
        Ok(IndexOutcome::Written)
    }

    async fn remove(&self, order: OrderId) -> anyhow::Result<()> {
        self.failures.check("removing")?;
        lock(&self.documents).insert(order, None);
        Ok(())
    }

    async fn search(&self, query: &Query) -> anyhow::Result<Page> {
        self.failures.check("searching")?;
        let mut hits: Vec<Hit> = self.documents().into_values().filter_map(|it| hit(query, it)).collect();
        hits.retain(|hit| query.after.is_none_or(|after| hit.position > after));
        hits.sort_unstable_by_key(|hit| hit.position);
        let has_more = hits.len() > query.limit;
        hits.truncate(query.limit);
        let next = hits.last().filter(|_| has_more).map(|hit| hit.position);
        Ok(Page { hits, next, truncated: false })
    }
}

fn hit(query: &Query, document: Document) -> Option<Hit> {
    let found = Match::find(&query.words, &document.terms())?;
    let is_hit = document.audiences().contains(&query.audience) && query.filters.matches(&document);
    is_hit.then(|| Hit { position: Position::new(found.rank, &document), fields: found.fields, document })
}

/// Rows in sorted maps. Each call is atomic.
#[derive(Debug, Default)]
pub struct InMemoryRows {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    records: BTreeMap<OrderId, Record>,
    postings: BTreeSet<Posting>,
}

impl InMemoryRows {
    /// Returns all records.
    pub fn all_records(&self) -> BTreeMap<OrderId, Record> {
        lock(&self.tables).records.clone()
    }

    /// Returns all postings.
    pub fn all_postings(&self) -> BTreeSet<Posting> {
        lock(&self.tables).postings.clone()
    }
}

#[async_trait]
impl Rows for InMemoryRows {
    async fn record(&self, order: OrderId) -> anyhow::Result<Option<Record>> {
        Ok(lock(&self.tables).records.get(&order).cloned())
    }

    async fn records(&self, orders: &[OrderId]) -> anyhow::Result<Vec<Record>> {
        let distinct: BTreeSet<&OrderId> = orders.iter().collect();
        anyhow::ensure!(
            distinct.len() == orders.len() && !orders.is_empty(),
            "the keys are empty or contain duplicates: {orders:?}"
        );
        anyhow::ensure!(orders.len() <= MAX_RECORDS, "{} keys exceed the limit", orders.len());
        let tables = lock(&self.tables);
        Ok(orders.iter().filter_map(|order| tables.records.get(order)).cloned().collect())
    }

    async fn write_record(&self, expected_stamp: Option<u64>, record: &Record) -> anyhow::Result<bool> {
        let records = &mut lock(&self.tables).records;
        if records.get(&record.order_id).map(|stored| stored.stamp) != expected_stamp {
            return Ok(false);
        }
        records.insert(record.order_id, record.clone());
        Ok(true)
    }

    async fn put_postings(&self, postings: &[Posting]) -> anyhow::Result<()> {
        lock(&self.tables).postings.extend(postings.iter().cloned());
        Ok(())
    }

    async fn remove_postings(
        &self,
        order: OrderId,
        stamp: u64,
        postings: &[Posting],
    ) -> anyhow::Result<bool> {
        anyhow::ensure!(postings.len() <= MAX_REMOVALS, "{} postings exceed the limit", postings.len());
        let mut tables = lock(&self.tables);
        if tables.records.get(&order).map(|stored| stored.stamp) != Some(stamp) {
            return Ok(false);
        }
        for posting in postings {
            tables.postings.remove(posting);
        }
        Ok(true)
    }

    async fn read_postings(
        &self,
        range: &crate::postings::Range,
        after: Option<&Posting>,
        limit: usize,
    ) -> anyhow::Result<PostingPage> {
        let tables = lock(&self.tables);
        let first = Posting { partition: range.partition.clone(), sort: range.first.clone() };
        let last = Posting { partition: range.partition.clone(), sort: range.last.clone() };
        let mut rest =
            tables.postings.range(first..=last).filter(|posting| after.is_none_or(|after| *posting > after));
        let postings = rest.by_ref().take(limit).cloned().collect();
        Ok(PostingPage { postings, has_more: rest.next().is_some() })
    }
}

/// Product names in a map.
#[derive(Debug, Default)]
pub struct InMemoryNames {
    names: Mutex<BTreeMap<Sku, ProductName>>,
}

impl InMemoryNames {
    /// Sets the name of a product.
    pub fn set_name(&self, sku: &Sku, name: ProductName) {
        lock(&self.names).insert(sku.clone(), name);
    }
}

#[async_trait]
impl ProductNames for InMemoryNames {
    async fn names(&self, skus: &[Sku]) -> BTreeMap<Sku, ProductName> {
        let names = lock(&self.names);
        skus.iter().filter_map(|sku| Some((sku.clone(), names.get(sku)?.clone()))).collect()
    }
}

/// An orders table with pages of two rows.
#[derive(Debug, Default)]
pub struct InMemoryImages {
    orders: Mutex<BTreeMap<OrderId, OrderImage>>,
}

impl InMemoryImages {
    /// Inserts or replaces a row.
    pub fn write(&self, image: OrderImage) {
        lock(&self.orders).insert(image.order.id, image);
    }

    /// Deletes a row.
    pub fn delete(&self, order: OrderId) {
        lock(&self.orders).remove(&order);
    }

    /// Returns all rows.
    pub fn all(&self) -> BTreeMap<OrderId, OrderImage> {
        lock(&self.orders).clone()
    }
}

#[async_trait]
impl OrderImages for InMemoryImages {
    async fn read_page(
        &self,
        segment: u32,
        total_segments: u32,
        after: Option<&OrderId>,
    ) -> anyhow::Result<ImagePage> {
        let orders = lock(&self.orders);
        let mut rest = orders.values().filter(|image| {
            let number = image.order.id.to_string().bytes().map(u32::from).sum::<u32>();
            number % total_segments == segment && after.is_none_or(|after| image.order.id > *after)
        });
        let images: Vec<_> = rest.by_ref().take(2).cloned().collect();
        let next = images.last().filter(|_| rest.next().is_some()).map(|image| image.order.id);
        Ok(ImagePage { images, invalid_rows: Vec::new(), next })
    }

    async fn find_missing(&self, orders: &[OrderId]) -> anyhow::Result<Vec<OrderId>> {
        let existing = lock(&self.orders);
        Ok(orders.iter().filter(|order| !existing.contains_key(order)).copied().collect())
    }
}
