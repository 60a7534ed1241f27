//! An inverted index over plain rows ([`rows::Rows`]), which DynamoDB keeps, or memory.
//!
//! Of each order there is a *record* with all that is shown and matched, and a *posting* for each word, field and
//! audience: a key and nothing else, `all#te` / `tea g <time> <order>`, so that the words that start with `te` stand
//! together, whole words before longer ones, the best field before others and the newest order before older ones.
//!
//! What holds whatever fails, and however many write at the same time ([`PostingsIndex`]'s tests crash it at every
//! write):
//!
//! 1. Every word of a record has its postings. They are written before the record that needs them, and what removes
//!    postings has to find the record's stamp unchanged.
//! 2. A record's version never goes back.
//! 3. A posting whose record does not have its word is found by nobody: every hit is looked up in its record. Such
//!    postings are noted in the record as `debris` before they stop being needed, and are cleaned up by whoever writes
//!    next, if the one who noted them does not.

mod keys;
pub mod rows;
mod search;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use domain::OrderId;
use platform::Clock;

pub use keys::{Posting, Range};

use crate::document::Document;
use crate::query::{Page, Query};
use crate::store::{Indexed, OrderIndex};
use rows::Rows;

/// The index over rows.
pub struct PostingsIndex<R> {
    rows: R,
    clock: Arc<dyn Clock>,
}

impl<R: Rows> PostingsIndex<R> {
    /// Over these rows.
    pub fn new(rows: R, clock: Arc<dyn Clock>) -> Self {
        Self { rows, clock }
    }

    /// The rows, and no index any more.
    pub fn into_rows(self) -> R {
        self.rows
    }

    /// The rows.
    pub fn rows(&self) -> &R {
        &self.rows
    }
}

#[async_trait]
impl<R: Rows> OrderIndex for PostingsIndex<R> {
    async fn index(&self, document: Document) -> anyhow::Result<Indexed> {
        write::index(&self.rows, document).await
    }

    async fn remove(&self, order: OrderId) -> anyhow::Result<()> {
        write::remove(&self.rows, order, self.clock.now()).await
    }

    async fn search(&self, query: &Query) -> anyhow::Result<Page> {
        search::search(&self.rows, query).await
    }
}
