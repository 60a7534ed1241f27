//! The ports of the sales ledger. It has two tables, both in time order.
//!
//! Each table has [`SHARDS`] partitions per day (UTC), because one DynamoDB partition takes at most 1,000
//! writes per second
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html>).

use std::fmt;

use async_trait::async_trait;
use domain::OrderId;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use platform::optimistic::Versioned;
use serde::{Deserialize, Serialize};

use super::booking::Booking;
use super::sale::Sale;

/// The number of partitions of a table per day.
pub const SHARDS: u8 = 8;

/// The position of a row in its table: a text whose order is the time order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(String);

impl Position {
    /// The position before all rows at or after `time`, and after all earlier rows.
    pub fn at(time: Timestamp) -> Self {
        Self(format!("{time:.9}"))
    }

    fn new(time: Timestamp, name: &str) -> Self {
        Self(format!("{time:.9}#{name}"))
    }

    /// Returns the position directly after this one.
    #[must_use]
    pub fn after(&self) -> Self {
        // All characters of names, and the `#` before them, sort after `!`.
        Self(format!("{}!", self.0))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A partition of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// The table: [`Row::TABLE`].
    pub table: &'static str,
    /// The day in UTC.
    pub day: Date,
    /// The number of the partition, 0 to [`SHARDS`] − 1.
    pub shard: u8,
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}#{}", self.table, self.day, self.shard)
    }
}

/// A row of a ledger table.
pub trait Row: Clone + Send + Sync {
    /// The name of the table.
    const TABLE: &'static str;

    /// The time by which the table is ordered.
    fn time(&self) -> Timestamp;

    /// The order that the row belongs to.
    fn order_id(&self) -> OrderId;

    /// A name that is unique among the rows with the same time.
    fn name(&self) -> String;

    /// Returns the position in the table.
    fn position(&self) -> Position {
        Position::new(self.time(), &self.name())
    }

    /// Returns the partition that holds the row.
    fn partition(&self) -> Partition {
        // The last digit of an id is practically random.
        let digit = self.order_id().to_string().chars().last().and_then(|digit| digit.to_digit(16));
        let shard = digit.and_then(|digit| u8::try_from(digit).ok()).unwrap_or_default() % SHARDS;
        Partition { table: Self::TABLE, day: utc_date(self.time()), shard }
    }
}

/// Returns the date of `time` in UTC.
pub fn utc_date(time: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(time).date()
}

/// Sales are ordered by the time at which the order was placed.
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

/// A page of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<R> {
    /// The rows, ordered by position.
    pub rows: Vec<R>,
    /// The start of the next page, if there may be one.
    pub next: Option<Position>,
}

/// A table of the ledger, for reading. Reads are eventually consistent: rows written within the last second
/// may be missing.
#[async_trait]
pub trait LedgerTable<R: Row>: Send + Sync {
    /// Reads a page of the rows of a partition from `from`, inclusive, to `until`, exclusive. An empty page
    /// need not be the last one.
    async fn read_page(
        &self,
        partition: Partition,
        from: &Position,
        until: &Position,
    ) -> anyhow::Result<Page<R>>;
}

/// The sales of the ledger, for writing.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Returns the sale of an order.
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Versioned<Sale>>>;

    /// Replaces the sale that was read, and adds its new bookings, in one transaction. Returns false, without
    /// any effect, when the stored sale has changed since it was read.
    async fn write(&self, read: Option<&Versioned<Sale>>, sale: &Sale) -> anyhow::Result<bool>;
}
