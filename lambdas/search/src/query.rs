//! What is asked of the index, and what it answers.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use domain::OrderId;
use domain::money::Currency;
use domain::order::OrderStatus;
use jiff::Timestamp;

use crate::document::{Audience, Document};
use crate::term::{Field, Wanted};

/// A search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Who looks.
    pub audience: Audience,
    /// All of them have to be found. None: orders are listed, the newest first.
    pub words: BTreeSet<Wanted>,
    /// What else has to be true of an order.
    pub filters: Filters,
    /// The most hits on a page, 1 to 100.
    pub limit: usize,
    /// Where the page before ended.
    pub after: Option<Position>,
}

/// What has to be true of an order. Left out: anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters {
    /// Where it stands.
    pub status: Option<OrderStatus>,
    /// Placed then or later.
    pub from: Option<Timestamp>,
    /// Placed earlier.
    pub before: Option<Timestamp>,
    /// What it is paid in.
    pub currency: Option<Currency>,
    /// What it costs at least, in minor units.
    pub min_amount: Option<u32>,
    /// What it costs at most, in minor units.
    pub max_amount: Option<u32>,
}

impl Filters {
    /// Whether an order passes.
    pub fn pass(&self, document: &Document) -> bool {
        let amount = document.total.minor_units();
        self.spans(document.placed_at)
            && self.status.is_none_or(|status| document.status == status)
            && self.currency.is_none_or(|currency| document.total.currency == currency)
            && self.min_amount.is_none_or(|min| amount >= min)
            && self.max_amount.is_none_or(|max| amount <= max)
    }

    /// Whether the time is one that they leave.
    pub fn spans(&self, placed_at: Timestamp) -> bool {
        self.from.is_none_or(|from| placed_at >= from) && self.before.is_none_or(|before| placed_at < before)
    }

    /// Whether they leave some time only.
    pub fn have_dates(&self) -> bool {
        self.from.is_some() || self.before.is_some()
    }

    /// Whether they look at anything that a posting does not tell.
    pub fn need_documents(&self) -> bool {
        let Self { status, from: _, before: _, currency, min_amount, max_amount } = self;
        status.is_some() || currency.is_some() || min_amount.is_some() || max_amount.is_some()
    }
}

/// A place in the order of hits: the best first, then the newest, then by id. An order keeps its place whatever else
/// is ordered, so a page that starts behind one shows nothing twice and leaves nothing out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// How good a hit it is.
    pub rank: u32,
    /// When it was placed, in microseconds since 1970: as exact as a key is.
    pub placed_at: i64,
    /// Which order.
    pub order_id: OrderId,
}

impl Position {
    /// The place of an order.
    pub fn of(rank: u32, document: &Document) -> Self {
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

/// A text that names no place.
#[derive(Debug, thiserror::Error)]
#[error("no place among hits")]
pub struct NoPosition;

impl FromStr for Position {
    type Err = NoPosition;
    fn from_str(text: &str) -> Result<Self, NoPosition> {
        let mut parts = text.splitn(3, '.');
        let mut next = || parts.next().ok_or(NoPosition);
        let rank = next()?.parse().map_err(|_| NoPosition)?;
        let placed_at = next()?.parse().map_err(|_| NoPosition)?;
        // A cursor is sent by strangers: only times that can be.
        Timestamp::from_microsecond(placed_at).map_err(|_| NoPosition)?;
        Ok(Self { rank, placed_at, order_id: next()?.parse().map_err(|_| NoPosition)? })
    }
}

/// An order that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// It.
    pub document: Document,
    /// Where the words were found.
    pub fields: BTreeSet<Field>,
    /// Its place.
    pub position: Position,
}

/// A page of hits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The best first.
    pub hits: Vec<Hit>,
    /// Where the next page starts behind, if there may be one. The page may end early where looking further would take
    /// too long: then the next one goes on.
    pub next: Option<Position>,
    /// Whether so many orders have the words that some were not looked at. More words or narrower dates help.
    pub truncated: bool,
}
