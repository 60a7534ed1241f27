//! The ports in memory, for tests. Nothing that is deployed uses them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use async_trait::async_trait;
use domain::{OrderId, ProductName, Sku};
use platform::memory::{InjectedFaults, lock};

use crate::document::Document;
use crate::image::OrderImage;
use crate::postings::Posting;
use crate::postings::rows::{MOST_RECORDS, MOST_REMOVED, Read, Record, Rows};
use crate::query::{Hit, Page, Position, Query};
use crate::rebuild::{ImagePage, OrderImages};
use crate::store::{Indexed, OrderIndex, ProductNames};
use crate::term::Match;

/// An index that looks at every order each time. It is what all others are compared with.
#[derive(Debug, Default)]
pub struct InMemoryIndex {
    /// `None`: removed.
    documents: Mutex<BTreeMap<OrderId, Option<Document>>>,
    /// Of every call.
    pub failures: InjectedFaults,
}

impl InMemoryIndex {
    /// All that is found.
    pub fn documents(&self) -> BTreeMap<OrderId, Document> {
        let documents = lock(&self.documents);
        documents.iter().filter_map(|(order, document)| Some((*order, document.clone()?))).collect()
    }
}

#[async_trait]
impl OrderIndex for InMemoryIndex {
    async fn index(&self, document: Document) -> anyhow::Result<Indexed> {
        self.failures.check("indexing")?;
        let mut documents = lock(&self.documents);
        let joined = match documents.get(&document.order_id) {
            Some(None) => return Ok(Indexed::Removed),
            Some(Some(known)) => {
                let joined = document.joined(known);
                if joined == *known {
                    return Ok(Indexed::Unchanged);
                }
                joined
            }
            None => document,
        };
        documents.insert(joined.order_id, Some(joined));
        Ok(Indexed::Written)
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
        let more = hits.len() > query.limit;
        hits.truncate(query.limit);
        let next = hits.last().filter(|_| more).map(|hit| hit.position);
        Ok(Page { hits, next, truncated: false })
    }
}

fn hit(query: &Query, document: Document) -> Option<Hit> {
    let found = Match::of(&query.words, &document.terms())?;
    let is_hit = document.audiences().contains(&query.audience) && query.filters.pass(&document);
    is_hit.then(|| Hit { position: Position::of(found.rank, &document), fields: found.fields, document })
}

/// Rows that are kept in order. Each call is one transaction.
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
    /// All records.
    pub fn all_records(&self) -> BTreeMap<OrderId, Record> {
        lock(&self.tables).records.clone()
    }

    /// All postings.
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
        let different: BTreeSet<&OrderId> = orders.iter().collect();
        anyhow::ensure!(
            different.len() == orders.len() && !orders.is_empty(),
            "none or one twice: {orders:?}"
        );
        anyhow::ensure!(orders.len() <= MOST_RECORDS, "{} at once", orders.len());
        let tables = lock(&self.tables);
        Ok(orders.iter().filter_map(|order| tables.records.get(order)).cloned().collect())
    }

    async fn write(&self, read: Option<u64>, record: &Record) -> anyhow::Result<bool> {
        let records = &mut lock(&self.tables).records;
        if records.get(&record.order_id).map(|there| there.stamp) != read {
            return Ok(false);
        }
        records.insert(record.order_id, record.clone());
        Ok(true)
    }

    async fn put(&self, postings: &[Posting]) -> anyhow::Result<()> {
        lock(&self.tables).postings.extend(postings.iter().cloned());
        Ok(())
    }

    async fn remove(&self, order: OrderId, stamp: u64, postings: &[Posting]) -> anyhow::Result<bool> {
        anyhow::ensure!(postings.len() <= MOST_REMOVED, "{} at once", postings.len());
        let mut tables = lock(&self.tables);
        if tables.records.get(&order).map(|there| there.stamp) != Some(stamp) {
            return Ok(false);
        }
        for posting in postings {
            tables.postings.remove(posting);
        }
        Ok(true)
    }

    async fn read(
        &self,
        range: &crate::postings::Range,
        after: Option<&Posting>,
        limit: usize,
    ) -> anyhow::Result<Read> {
        let tables = lock(&self.tables);
        let first = Posting { partition: range.partition.clone(), sort: range.first.clone() };
        let last = Posting { partition: range.partition.clone(), sort: range.last.clone() };
        let mut found =
            tables.postings.range(first..=last).filter(|posting| after.is_none_or(|after| *posting > after));
        let postings = found.by_ref().take(limit).cloned().collect();
        Ok(Read { postings, more: found.next().is_some() })
    }
}

/// Products with names.
#[derive(Debug, Default)]
pub struct InMemoryNames {
    names: Mutex<BTreeMap<Sku, ProductName>>,
}

impl InMemoryNames {
    /// Calls a product so, from now on.
    pub fn name(&self, sku: &Sku, name: ProductName) {
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

/// An orders table, and the orders that an index has, in pages of two.
#[derive(Debug, Default)]
pub struct InMemoryImages {
    orders: Mutex<BTreeMap<OrderId, OrderImage>>,
}

impl InMemoryImages {
    /// Writes a row.
    pub fn write(&self, image: OrderImage) {
        lock(&self.orders).insert(image.order.id, image);
    }

    /// Deletes a row.
    pub fn delete(&self, order: OrderId) {
        lock(&self.orders).remove(&order);
    }

    /// All rows.
    pub fn all(&self) -> BTreeMap<OrderId, OrderImage> {
        lock(&self.orders).clone()
    }
}

#[async_trait]
impl OrderImages for InMemoryImages {
    async fn page(&self, segment: u32, of: u32, after: Option<&OrderId>) -> anyhow::Result<ImagePage> {
        let orders = lock(&self.orders);
        let mut rest = orders.values().filter(|image| {
            let number = image.order.id.to_string().bytes().map(u32::from).sum::<u32>();
            number % of == segment && after.is_none_or(|after| image.order.id > *after)
        });
        let images: Vec<_> = rest.by_ref().take(2).cloned().collect();
        let next = images.last().filter(|_| rest.next().is_some()).map(|image| image.order.id);
        Ok(ImagePage { images, not_understood: Vec::new(), next })
    }

    async fn missing(&self, orders: &[OrderId]) -> anyhow::Result<Vec<OrderId>> {
        let there = lock(&self.orders);
        Ok(orders.iter().filter(|order| !there.contains_key(order)).copied().collect())
    }
}
