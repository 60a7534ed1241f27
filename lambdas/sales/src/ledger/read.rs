//! Reads a period of a ledger table in time order, merging its partitions.

use std::collections::VecDeque;

use anyhow::Context;
use futures::future::try_join_all;
use jiff::Timestamp;
use jiff::civil::Date;

use super::store::{LedgerTable, Page, Partition, Position, Row, SHARDS, utc_date};

/// Reads row by row. It buffers at most one page for each partition of a day.
pub struct Reader<'a, R> {
    table: &'a dyn LedgerTable<R>,
    /// The next row is at this position or after it.
    from: Position,
    until: Position,
    day: Date,
    last_day: Date,
    /// The partitions of `day`; empty before the day is opened.
    partitions: Vec<OpenPartition<R>>,
}

/// A partition that is being read.
struct OpenPartition<R> {
    partition: Partition,
    rows: VecDeque<R>,
    /// The start of the next page, if there may be one.
    next: Option<Position>,
}

impl<'a, R: Row> Reader<'a, R> {
    /// Reads the rows from `from`, inclusive, to `until`, exclusive.
    pub fn new(table: &'a dyn LedgerTable<R>, from: Timestamp, until: Timestamp) -> Self {
        Self::from_position(table, from, until, Position::at(from))
    }

    /// Reads the same period, starting at a position within it.
    pub fn from_position(
        table: &'a dyn LedgerTable<R>,
        from: Timestamp,
        until: Timestamp,
        position: Position,
    ) -> Self {
        Self {
            table,
            from: position.max(Position::at(from)),
            until: Position::at(until),
            day: utc_date(from),
            last_day: utc_date(until),
            partitions: Vec::new(),
        }
    }

    /// Returns the next row, if there is one.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn next(&mut self) -> anyhow::Result<Option<R>> {
        if self.from >= self.until {
            return Ok(None);
        }
        loop {
            if self.partitions.is_empty() {
                self.skip_days()?;
                self.open_day();
            }
            self.fetch_pages().await?;
            let first = self
                .partitions
                .iter_mut()
                .filter(|open| !open.rows.is_empty())
                .min_by_key(|open| open.rows.front().map(Row::position));
            if let Some(row) = first.and_then(|open| open.rows.pop_front()) {
                return Ok(Some(row));
            }
            if self.day >= self.last_day {
                return Ok(None);
            }
            self.partitions.clear();
            self.day = self.day.tomorrow().context("the date is out of range")?;
        }
    }

    /// Skips the days before the start position.
    fn skip_days(&mut self) -> anyhow::Result<()> {
        while self.day < self.last_day {
            let tomorrow = self.day.tomorrow().context("the date is out of range")?;
            let midnight = jiff::tz::TimeZone::UTC.to_timestamp(tomorrow.into())?;
            if self.from < Position::at(midnight) {
                break;
            }
            self.day = tomorrow;
        }
        Ok(())
    }

    fn open_day(&mut self) {
        let partition = |shard| Partition { table: R::TABLE, day: self.day, shard };
        let open = |shard| OpenPartition {
            partition: partition(shard),
            rows: VecDeque::new(),
            next: Some(self.from.clone()),
        };
        self.partitions = (0..SHARDS).map(open).collect();
    }

    /// Fetches the next page of every partition whose page is used up, concurrently. After a failure, the pages that
    /// are missing can be fetched again.
    async fn fetch_pages(&mut self) -> anyhow::Result<()> {
        let (table, until) = (self.table, &self.until);
        let pages = self.partitions.iter_mut().map(async |open| {
            while open.rows.is_empty()
                && let Some(from) = &open.next
            {
                let Page { rows, next } = table.read_page(open.partition, from, until).await?;
                open.rows = rows.into();
                open.next = next;
            }
            anyhow::Ok(())
        });
        try_join_all(pages).await?;
        Ok(())
    }
}
