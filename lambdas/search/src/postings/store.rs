//! The storage port of the index: rows with keys, and one kind of transaction.

use std::collections::BTreeSet;

use async_trait::async_trait;
use domain::OrderId;
use serde::{Deserialize, Serialize};

use super::keys::{Posting, Range};
use crate::document::{Audience, Document};
use crate::term::Term;

/// The maximum number of records per call of [`Rows::records`]: the limit of `BatchGetItem`.
pub const MAX_RECORDS: usize = 100;
/// The maximum number of postings per call of [`Rows::remove_postings`]: `TransactWriteItems` accepts 100
/// items, one of which is the check of the record.
pub const MAX_REMOVALS: usize = 99;

/// The maximum number of postings that become debris in one write. They are part of the record, and the
/// largest record has almost 300 KB without them: DynamoDB's limit is 400 KB per item.
pub const MAX_DEBRIS: usize = 500;

/// The record of an order in the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The id of the order.
    pub order_id: OrderId,
    /// The revision of the record for optimistic locking. Each write increments it, so that no two states of
    /// the record have the same stamp.
    pub stamp: u64,
    /// The order; `None` if it was removed.
    pub document: Option<Document>,
    /// The audiences that may find the order.
    pub audiences: BTreeSet<Audience>,
    /// The terms that the order is found by.
    pub terms: BTreeSet<Term>,
    /// Obsolete postings that may still exist.
    pub debris: BTreeSet<Posting>,
    /// The time to live of the tombstone of a removed order, in seconds since 1970; `None` for other orders.
    pub expires_at: Option<i64>,
}

impl Record {
    /// Creates the record of a document.
    pub(super) fn new(document: Document, stamp: u64) -> Self {
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

    /// Returns the next state of the record without these terms, whose postings become debris.
    pub(super) fn without(&self, terms: &BTreeSet<Term>) -> Self {
        Self {
            terms: self.terms.difference(terms).cloned().collect(),
            stamp: self.stamp.saturating_add(1),
            debris: self.postings_of(terms).collect(),
            ..self.clone()
        }
    }

    /// Returns the postings that the record needs.
    pub fn postings(&self) -> BTreeSet<Posting> {
        let document = self.document.iter();
        let lists = document
            .flat_map(|document| self.audiences.iter().map(|audience| Posting::for_list(audience, document)));
        self.postings_of(&self.terms).chain(lists).collect()
    }

    fn postings_of(&self, terms: &BTreeSet<Term>) -> impl Iterator<Item = Posting> {
        self.document.iter().flat_map(move |document| {
            self.audiences.iter().flat_map(move |audience| {
                terms.iter().map(move |term| Posting::for_term(audience, term, document))
            })
        })
    }
}

/// A page of adjacent postings.
#[derive(Debug, Clone, Default)]
pub struct PostingPage {
    /// The postings in key order.
    pub postings: Vec<Posting>,
    /// Whether more postings follow.
    pub has_more: bool,
}

/// The storage of records and postings. A call that returns an error may or may not have taken effect.
#[async_trait]
pub trait Rows: Send + Sync {
    /// Reads a record with strong consistency.
    async fn record(&self, order: OrderId) -> anyhow::Result<Option<Record>>;

    /// Reads up to [`MAX_RECORDS`] records with eventual consistency. Their order is undefined.
    async fn records(&self, orders: &[OrderId]) -> anyhow::Result<Vec<Record>>;

    /// Writes a record on condition that the stored one has the stamp `expected_stamp`, or that none exists
    /// if that is `None`. Returns whether the condition was met.
    async fn write_record(&self, expected_stamp: Option<u64>, record: &Record) -> anyhow::Result<bool>;

    /// Writes postings, in any order. After a failure, some of them may exist.
    async fn put_postings(&self, postings: &[Posting]) -> anyhow::Result<()>;

    /// Atomically removes up to [`MAX_REMOVALS`] postings on condition that the record of the order has this
    /// stamp. Returns whether the condition was met.
    async fn remove_postings(&self, order: OrderId, stamp: u64, postings: &[Posting])
    -> anyhow::Result<bool>;

    /// Reads at most `limit` postings of a range in key order, starting after `after`, with eventual
    /// consistency.
    async fn read_postings(
        &self,
        range: &Range,
        after: Option<&Posting>,
        limit: usize,
    ) -> anyhow::Result<PostingPage>;
}
