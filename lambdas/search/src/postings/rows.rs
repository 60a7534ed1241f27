//! The port below the index: rows with keys, and one transaction.

use std::collections::BTreeSet;

use async_trait::async_trait;
use domain::OrderId;
use serde::{Deserialize, Serialize};

use super::keys::{Posting, Range};
use crate::document::{Audience, Document};
use crate::term::Term;

/// The most records that [`Rows::records`] reads at once: what `BatchGetItem` takes.
pub const MOST_RECORDS: usize = 100;
/// The most postings that [`Rows::remove`] takes: `TransactWriteItems` takes 100 items, and one is the record.
pub const MOST_REMOVED: usize = 99;

/// All that the index knows of one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Which order.
    pub order_id: OrderId,
    /// Goes up with each write of the record, and never stands twice for two different ones.
    pub stamp: u64,
    /// The order; `None` when it was removed.
    pub document: Option<Document>,
    /// Everybody who finds it.
    pub audiences: BTreeSet<Audience>,
    /// All that it is found by.
    pub terms: BTreeSet<Term>,
    /// Postings that may be there and are not needed.
    pub debris: BTreeSet<Posting>,
    /// When the row may go, in seconds since 1970: of removed orders only.
    pub expires_at: Option<i64>,
}

impl Record {
    /// The record of an order that is found.
    pub(super) fn of(document: Document, stamp: u64) -> Self {
        Self {
            order_id: document.order_id,
            stamp,
            audiences: document.audiences(),
            terms: document.terms(),
            document: Some(document),
            debris: BTreeSet::new(),
            expires_at: None,
        }
    }

    /// The postings that it needs.
    pub fn postings(&self) -> BTreeSet<Posting> {
        let Some(document) = &self.document else { return BTreeSet::new() };
        let of = |audience| {
            let terms = self.terms.iter().map(move |term| Posting::of_term(audience, term, document));
            terms.chain([Posting::of_list(audience, document)])
        };
        self.audiences.iter().flat_map(of).collect()
    }
}

/// Neighbouring postings, as far as they were read.
#[derive(Debug, Clone, Default)]
pub struct Read {
    /// In their order.
    pub postings: Vec<Posting>,
    /// Whether there are more behind.
    pub more: bool,
}

/// Rows. Each call may fail before its effect or after it.
#[async_trait]
pub trait Rows: Send + Sync {
    /// One record, as it is now.
    async fn record(&self, order: OrderId) -> anyhow::Result<Option<Record>>;

    /// Up to [`MOST_RECORDS`] records, in no order, as they were a moment ago.
    async fn records(&self, orders: &[OrderId]) -> anyhow::Result<Vec<Record>>;

    /// Writes a record if the one that is there has the stamp `read`, or if there is none where that is `None`.
    async fn write(&self, read: Option<u64>, record: &Record) -> anyhow::Result<bool>;

    /// Writes postings, in no order. After a failure some may be there.
    async fn put(&self, postings: &[Posting]) -> anyhow::Result<()>;

    /// Removes up to [`MOST_REMOVED`] postings, all or none, if the order's record has this stamp.
    async fn remove(&self, order: OrderId, stamp: u64, postings: &[Posting]) -> anyhow::Result<bool>;

    /// At most `limit` postings of a range, behind `after`, in their order, as they were a moment ago.
    async fn read(&self, range: &Range, after: Option<&Posting>, limit: usize) -> anyhow::Result<Read>;
}
