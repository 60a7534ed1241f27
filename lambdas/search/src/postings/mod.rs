//! An inverted index over plain rows ([`store::Rows`]), stored in DynamoDB or in memory.
//!
//! Each order has a *record*, which contains everything that is displayed and matched, and a *posting* for
//! each word, field and audience. A posting is only a key, `all#te` / `tea g <time> <order>`: words that
//! start with `te` are adjacent, a word precedes longer ones, the most relevant field comes first, and newer
//! orders precede older ones.
//!
//! Invariants, which hold after any failure and with any number of concurrent writers (the tests of
//! [`PostingsIndex`] crash it at every write):
//!
//! 1. Every term of a record has its postings. They are written before the record that needs them, and
//!    postings are removed only on condition that the record's stamp is unchanged.
//! 2. The version of a record never decreases.
//! 3. A posting whose record does not contain its term never produces a hit, because every hit is verified
//!    against its record. Such postings are listed in the record as `debris` in the write that makes them
//!    obsolete. If the writer fails to remove them, the next writer does.

mod keys;
mod search;
pub mod store;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use domain::OrderId;
use platform::Clock;

pub use keys::{Posting, Range};

use crate::document::Document;
use crate::query::{Page, Query};
use crate::store::{IndexOutcome, OrderIndex};
use store::Rows;

/// The inverted index over rows.
pub struct PostingsIndex<R> {
    rows: R,
    clock: Arc<dyn Clock>,
}

impl<R: Rows> PostingsIndex<R> {
    /// Creates the index over these rows.
    pub fn new(rows: R, clock: Arc<dyn Clock>) -> Self {
        Self { rows, clock }
    }

    /// Returns the rows and drops the index.
    pub fn into_rows(self) -> R {
        self.rows
    }

    /// Returns the rows.
    pub fn rows(&self) -> &R {
        &self.rows
    }
}

#[async_trait]
impl<R: Rows> OrderIndex for PostingsIndex<R> {
    async fn index(&self, document: Document) -> anyhow::Result<IndexOutcome> {
        write::index(&self.rows, document, self.clock.as_ref()).await
    }

    async fn remove(&self, order: OrderId) -> anyhow::Result<()> {
        write::remove(&self.rows, order, self.clock.as_ref()).await
    }

    async fn search(&self, query: &Query) -> anyhow::Result<Page> {
        search::search(&self.rows, query).await
    }
}
