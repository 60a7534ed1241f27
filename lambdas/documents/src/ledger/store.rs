//! Where the ledger is kept: two books, each in the order of time.
//!
//! A book is spread over [`SHARDS`] shelves a day (UTC), so that many orders at a time do not all meet in one partition,
//! which takes 1,000 writes a second
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html>).

use std::fmt;

use async_trait::async_trait;
use domain::OrderId;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::booking::Booking;
use super::sale::Sale;

/// The shelves of a day.
pub const SHARDS: u8 = 8;

/// Something as it was read, with the version that the next write stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    /// What was read.
    pub value: T,
    /// Goes up by one with every write.
    pub version: u64,
}

/// Where a row stands in its book: text that sorts as time does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(String);

impl Position {
    /// Before all that is at this moment or later, and behind all that is before it.
    pub fn at(time: Timestamp) -> Self {
        Self(format!("{time:.9}"))
    }

    fn new(time: Timestamp, name: &str) -> Self {
        Self(format!("{time:.9}#{name}"))
    }

    /// Right behind this one.
    #[must_use]
    pub fn after(&self) -> Self {
        // No character that names are made of sorts before this one, but for the # in front of them.
        Self(format!("{}!", self.0))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One shelf of a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// Of which book: [`Row::BOOK`].
    pub table: &'static str,
    /// For which day, in UTC.
    pub day: Date,
    /// Which of the [`SHARDS`].
    pub shard: u8,
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}#{}", self.table, self.day, self.shard)
    }
}

/// What stands in a book.
pub trait Row: Clone + Send + Sync {
    /// The name of the book.
    const TABLE: &'static str;

    /// When.
    fn time(&self) -> Timestamp;

    /// Of which order.
    fn order_id(&self) -> OrderId;

    /// Tells it from all others at the same moment.
    fn name(&self) -> String;

    /// Where it stands.
    fn position(&self) -> Position {
        Position::new(self.time(), &self.name())
    }

    /// On which shelf.
    fn partition(&self) -> Partition {
        // The last digit of an id is as good as random.
        let digit = self.order_id().to_string().chars().last().and_then(|digit| digit.to_digit(16));
        let shard = digit.and_then(|digit| u8::try_from(digit).ok()).unwrap_or_default() % SHARDS;
        Partition { table: Self::TABLE, day: utc_date(self.time()), shard }
    }
}

/// The day of a moment, in UTC.
pub fn utc_date(time: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(time).date()
}

/// By when the order was placed.
impl Row for Sale {
    const TABLE: &'static str = "sales";
    fn time(&self) -> Timestamp {
        self.order.placed_at
    }
    fn order_id(&self) -> OrderId {
        self.order_id
    }
    fn name(&self) -> String {
        self.order_id.to_string()
    }
}

impl Row for Booking {
    const TABLE: &'static str = "bookings";
    fn time(&self) -> Timestamp {
        self.at
    }
    fn order_id(&self) -> OrderId {
        self.order_id
    }
    fn name(&self) -> String {
        format!("{}#{}", self.order_id, Self::name(self))
    }
}

/// Part of a shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<R> {
    /// In the order of their positions.
    pub rows: Vec<R>,
    /// Where the next page starts, if there may be more.
    pub next: Option<Position>,
}

/// A book to read in. What was written within the last second may be missing.
#[async_trait]
pub trait LedgerTable<R: Row>: Send + Sync {
    /// What stands on a shelf from `from` on and before `until`, a page of it. A page may be empty and not be the last.
    async fn read_page(
        &self,
        partition: Partition,
        from: &Position,
        until: &Position,
    ) -> anyhow::Result<Page<R>>;
}

/// Where sales are written down.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// What is known of an order.
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Versioned<Sale>>>;

    /// Writes a sale and its bookings in place of what was read, all of it or nothing. False, and nothing written, when
    /// what was read is no longer so.
    async fn write(&self, read: Option<&Versioned<Sale>>, sale: &Sale) -> anyhow::Result<bool>;
}
