//! Queries to the index, and their results.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use domain::OrderId;
use domain::money::Currency;
use domain::order::OrderStatus;
use jiff::Timestamp;

use crate::document::{Audience, Document};
use crate::term::{Field, QueryWord};

/// A search query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Restricts the query to the orders that this audience may see.
    pub audience: Audience,
    /// The words, all of which must match. Without words, all orders are listed, newest first.
    pub words: BTreeSet<QueryWord>,
    /// Further conditions on the orders.
    pub filters: Filters,
    /// The maximum number of hits on a page, 1 to 100.
    pub limit: usize,
    /// The position after which the page starts; `None` for the first page.
    pub after: Option<Position>,
}

/// The conditions on an order. `None` imposes no condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters {
    /// The status of the order.
    pub status: Option<OrderStatus>,
    /// The earliest time of placement, inclusive.
    pub from: Option<Timestamp>,
    /// The latest time of placement, exclusive.
    pub before: Option<Timestamp>,
    /// The currency of the total.
    pub currency: Option<Currency>,
    /// The minimum total in minor units, inclusive.
    pub min_amount: Option<u32>,
    /// The maximum total in minor units, inclusive.
    pub max_amount: Option<u32>,
}

impl Filters {
    /// Returns whether an order meets all conditions.
    pub fn matches(&self, document: &Document) -> bool {
        let amount = document.total.minor_units();
        self.includes_time(document.placed_at)
            && self.status.is_none_or(|status| document.status == status)
            && self.currency.is_none_or(|currency| document.total.currency == currency)
            && self.min_amount.is_none_or(|min| amount >= min)
            && self.max_amount.is_none_or(|max| amount <= max)
    }

    /// Returns whether the time is within `from` and `before`.
    pub fn includes_time(&self, placed_at: Timestamp) -> bool {
        self.from.is_none_or(|from| placed_at >= from) && self.before.is_none_or(|before| placed_at < before)
    }

    /// Returns whether the time of placement is restricted.
    pub fn has_dates(&self) -> bool {
        self.from.is_some() || self.before.is_some()
    }

    /// Returns whether any condition needs the document: a posting contains only the time of placement.
    pub fn needs_documents(&self) -> bool {
        let Self { status, from: _, before: _, currency, min_amount, max_amount } = self;
        status.is_some() || currency.is_some() || min_amount.is_some() || max_amount.is_some()
    }
}

/// The position of a hit in the result: by descending rank, then newest first, then by id. New orders do not
/// change the position of existing ones, so paging after a position neither repeats nor skips a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The rank of the match; higher is better.
    pub rank: u32,
    /// The time of placement in microseconds since 1970, the precision of keys.
    pub placed_at: i64,
    /// The id of the order.
    pub order_id: OrderId,
}

impl Position {
    /// The position of an order with this rank.
    pub fn new(rank: u32, document: &Document) -> Self {
        Self { rank, placed_at: document.placed_at.as_microsecond(), order_id: document.order_id }
    }
}

impl Ord for Position {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let by = |it: &Self| (std::cmp::Reverse(it.rank), std::cmp::Reverse(it.placed_at), it.order_id);
        by(self).cmp(&by(other))
    }
}

impl PartialOrd for Position {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.rank, self.placed_at, self.order_id)
    }
}

/// The error for a cursor that does not contain a position.
#[derive(Debug, thiserror::Error)]
#[error("not a position in a search result")]
pub struct ParsePositionError;

impl FromStr for Position {
    type Err = ParsePositionError;
    fn from_str(text: &str) -> Result<Self, ParsePositionError> {
        let mut parts = text.splitn(3, '.');
        let mut next = || parts.next().ok_or(ParsePositionError);
        let rank = next()?.parse().map_err(|_| ParsePositionError)?;
        let placed_at = next()?.parse().map_err(|_| ParsePositionError)?;
        // Cursors come from clients: accept only valid timestamps.
        Timestamp::from_microsecond(placed_at).map_err(|_| ParsePositionError)?;
        Ok(Self { rank, placed_at, order_id: next()?.parse().map_err(|_| ParsePositionError)? })
    }
}

/// An order that matches a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The order that was found.
    pub document: Document,
    /// The fields that the words matched in.
    pub fields: BTreeSet<Field>,
    /// The position in the result.
    pub position: Position,
}

/// A page of hits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The hits, best first.
    pub hits: Vec<Hit>,
    /// The position after which the next page starts, if there may be one. A page can end early, even empty,
    /// because the work per request is limited; the next page continues from there.
    pub next: Option<Position>,
    /// Whether too many orders contain the words, so that not all of them were examined. More words or a
    /// narrower date range avoid this.
    pub truncated: bool,
}
