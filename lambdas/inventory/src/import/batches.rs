//! Reads the rows of a file in batches and records their outcomes.

use std::collections::{HashMap, VecDeque};

use bytes::{Buf, Bytes};
use domain::Sku;
use futures::StreamExt;
use platform::objects::Chunks;

use super::apply::{Applier, BATCH_SIZE, Outcome, duplicate_error};
use super::progress::Progress;
use super::records::{Position, Record, RecordReader};
use super::results::RejectedRows;
use super::row::{Header, Row, RowError};
use super::sniff;

/// The number of recent SKUs that are kept to detect duplicates without reading the table. It must exceed the
/// number of rows in flight.
const MAX_RECENT_SKUS: usize = 10_000;
/// The maximum size of an oversized row that is skipped, in bytes. A longer one ends the import.
const MAX_SKIPPED_ROW_BYTES: u64 = 256 * 1024 * 1024;

/// The byte stream of a file, with a buffer.
pub(super) struct Source {
    chunks: Chunks,
    buffer: Bytes,
}

/// The header and the position after it, or the invalid first record with the reason.
pub(super) type HeaderResult = Result<(Header, Position), (Record, RowError)>;

impl Source {
    pub(super) fn new(chunks: Chunks) -> Self {
        Self { chunks, buffer: Bytes::new() }
    }

    /// Fills the buffer if it is empty. Returns false at the end of the file.
    async fn fill(&mut self) -> anyhow::Result<bool> {
        while self.buffer.is_empty() {
            match self.chunks.next().await {
                Some(chunk) => self.buffer = chunk?,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Reads the header.
    pub(super) async fn read_header(&mut self) -> anyhow::Result<HeaderResult> {
        let mut start = Vec::new();
        while start.len() < sniff::SNIFF_BYTES && self.fill().await? {
            start.extend_from_slice(&std::mem::take(&mut self.buffer));
        }
        self.buffer = start.into();
        let sample = self.buffer.get(..sniff::SNIFF_BYTES).unwrap_or(&self.buffer);
        let empty = Record { line: 1, end: Position::START, fields: Vec::new(), defect: None };
        let (separator, preamble_len) =
            match sniff::check_is_text(sample).and_then(|()| sniff::detect_separator(sample)) {
                Ok(found) => found,
                Err(reason) => return Ok(Err((empty, RowError::of_row(reason)))),
            };
        self.buffer.advance(preamble_len);
        let position = Position { offset: u64::try_from(preamble_len)?, ..Position::START };
        let mut reader = RecordReader::new(separator, position);
        loop {
            if !self.fill().await? {
                let record = reader.finish().unwrap_or(empty);
                return Ok(parse_header(separator, record));
            }
            if let Some(record) = self.next(&mut reader) {
                return Ok(parse_header(separator, record));
            }
            if reader.skipped_bytes() > MAX_SKIPPED_ROW_BYTES {
                return Ok(Err((empty, RowError::of_row("the first line is too long"))));
            }
        }
    }

    fn next(&mut self, reader: &mut RecordReader) -> Option<Record> {
        let mut input = self.buffer.as_ref();
        let record = reader.next(&mut input);
        let read = self.buffer.len().saturating_sub(input.len());
        self.buffer.advance(read);
        record
    }
}

fn parse_header(separator: u8, record: Record) -> HeaderResult {
    match Header::parse(separator, &record) {
        Ok(header) => Ok((header, record.end)),
        Err(error) => Err((record, error)),
    }
}

/// Reads batches of rows from a file.
pub(super) struct BatchReader {
    source: Source,
    records: RecordReader,
    header: Header,
    recent: RecentSkus,
}

/// The result of reading a batch.
pub(super) enum ReadResult {
    /// The next rows.
    Batch(Batch),
    /// The file has no more rows.
    End,
    /// The deadline of the run has passed.
    DeadlinePassed,
    /// The row that starts on `line` exceeds [`MAX_SKIPPED_ROW_BYTES`].
    RowTooLong { line: u64 },
}

impl BatchReader {
    /// Creates a reader that starts at `position`, which must be the position of `source`.
    pub(super) fn new(source: Source, header: Header, position: Position) -> Self {
        let records = RecordReader::new(header.separator, position);
        Self { source, records, header, recent: RecentSkus::default() }
    }

    /// Reads the next rows. Stops between two rows when the deadline has passed.
    pub(super) async fn next_batch(
        &mut self,
        is_past_deadline: &(dyn Fn() -> bool + Sync),
    ) -> anyhow::Result<ReadResult> {
        let mut batch = Batch::default();
        if is_past_deadline() {
            return Ok(ReadResult::DeadlinePassed);
        }
        // The total is limited too, because invalid rows also occupy memory.
        while batch.valid_count < BATCH_SIZE && batch.rows.len() < 2 * BATCH_SIZE {
            if !self.source.fill().await? {
                match self.records.finish() {
                    Some(record) => self.add(record, &mut batch),
                    None if batch.end.is_none() => return Ok(ReadResult::End),
                    None => break,
                }
            } else if let Some(record) = self.source.next(&mut self.records) {
                self.add(record, &mut batch);
            } else if self.records.skipped_bytes() > MAX_SKIPPED_ROW_BYTES || is_past_deadline() {
                // In the middle of a row: the rows before it are processed first.
                break;
            }
        }
        if batch.end.is_some() {
            return Ok(ReadResult::Batch(batch));
        }
        let is_too_long = self.records.skipped_bytes() > MAX_SKIPPED_ROW_BYTES;
        Ok(if is_too_long {
            ReadResult::RowTooLong { line: self.records.line() }
        } else {
            ReadResult::DeadlinePassed
        })
    }

    fn add(&mut self, record: Record, batch: &mut Batch) {
        batch.end = Some(record.end);
        if !Header::is_row(&record) {
            return;
        }
        let parsed = match self.header.parse_row(&record) {
            Ok(row) if self.recent.contains_or_insert(&row.sku, record.line) => ParsedRow::Duplicate(row.sku),
            Ok(row) => ParsedRow::Valid(row),
            Err(error) => ParsedRow::Invalid(error),
        };
        batch.valid_count += usize::from(matches!(parsed, ParsedRow::Valid(_)));
        batch.rows.push((record, parsed));
    }
}

/// The lines of recent SKUs. They ensure that no two rows of the same SKU are in flight at the same time.
#[derive(Default)]
struct RecentSkus {
    lines: HashMap<Sku, u64>,
    order: VecDeque<Sku>,
}

impl RecentSkus {
    /// Returns whether the SKU is known already, and inserts it if it is not.
    fn contains_or_insert(&mut self, sku: &Sku, line: u64) -> bool {
        if self.lines.contains_key(sku) {
            return true;
        }
        if self.order.len() >= MAX_RECENT_SKUS
            && let Some(oldest) = self.order.pop_front()
        {
            self.lines.remove(&oldest);
        }
        self.lines.insert(sku.clone(), line);
        self.order.push_back(sku.clone());
        false
    }

    /// Corrects the line of a SKU, when the table has an earlier one.
    fn correct_line(&mut self, sku: &Sku, line: u64) {
        if let Some(recent) = self.lines.get_mut(sku) {
            *recent = line;
        }
    }
}

/// A parsed row.
enum ParsedRow {
    /// A row to apply.
    Valid(Row),
    /// A row with the same SKU as a recent one.
    Duplicate(Sku),
    /// A row to reject.
    Invalid(RowError),
}

/// Rows that are applied together.
#[derive(Default)]
pub(super) struct Batch {
    rows: Vec<(Record, ParsedRow)>,
    valid_count: usize,
    end: Option<Position>,
}

/// A batch whose rows have been applied.
pub(super) struct AppliedBatch {
    batch: Batch,
    /// The outcomes of the valid rows, in order.
    outcomes: Vec<Outcome>,
}

impl Batch {
    /// Applies the valid rows.
    pub(super) async fn apply(self, applier: &Applier<'_>) -> anyhow::Result<AppliedBatch> {
        let valid = |(record, parsed): &(Record, ParsedRow)| match parsed {
            ParsedRow::Valid(row) => Some((record.line, row.clone())),
            ParsedRow::Duplicate(_) | ParsedRow::Invalid(_) => None,
        };
        let rows: Vec<(u64, Row)> = self.rows.iter().filter_map(valid).collect();
        let outcomes = applier.apply(&rows).await?;
        anyhow::ensure!(
            outcomes.len() == rows.len(),
            "the number of outcomes differs from the number of rows"
        );
        Ok(AppliedBatch { batch: self, outcomes })
    }
}

impl AppliedBatch {
    /// Records the outcomes in order, and adds the rejected rows to `rejected`.
    pub(super) fn record(
        self,
        progress: &mut Progress,
        reader: &mut BatchReader,
        rejected: &mut RejectedRows,
    ) {
        let counts = &mut progress.counts;
        let mut outcomes = self.outcomes.into_iter();
        for (record, parsed) in self.batch.rows {
            counts.rows = counts.rows.saturating_add(1);
            let error = match parsed {
                ParsedRow::Invalid(error) => error,
                ParsedRow::Duplicate(sku) => {
                    duplicate_error(reader.recent.lines.get(&sku).copied().unwrap_or_default())
                }
                ParsedRow::Valid(row) => match outcomes.next() {
                    Some(Outcome::Applied) => {
                        counts.applied = counts.applied.saturating_add(1);
                        counts.pieces = counts.pieces.saturating_add(row.quantity.into());
                        continue;
                    }
                    Some(Outcome::Repeated) => {
                        counts.repeated = counts.repeated.saturating_add(1);
                        continue;
                    }
                    Some(Outcome::Duplicate { first }) => {
                        reader.recent.correct_line(&row.sku, first);
                        duplicate_error(first)
                    }
                    Some(Outcome::Rejected(error)) => error,
                    None => RowError::of_row("the outcome of the row is unknown"),
                },
            };
            rejected.add(Some(&reader.header), counts.rejected == 0, &record, &error);
            counts.rejected = counts.rejected.saturating_add(1);
        }
        if let Some(end) = self.batch.end {
            progress.position = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::stream;

    use super::*;

    fn reader(chunks: Chunks) -> BatchReader {
        let fields = ["sku", "name", "price", "currency", "quantity"].map(|name| name.as_bytes().to_vec());
        let record = Record { line: 1, end: Position::START, fields: fields.to_vec(), defect: None };
        let header = Header::parse(b',', &record).unwrap();
        BatchReader::new(Source::new(chunks), header, Position::START)
    }

    /// A reader of a row without an end, in chunks of 1 MiB.
    fn endless_row() -> BatchReader {
        reader(stream::repeat(Bytes::from(vec![b'x'; 1024 * 1024])).map(Ok).boxed())
    }

    #[tokio::test]
    async fn invalid_rows_fill_a_batch_too() {
        let rows = Bytes::from("x\n".repeat(100));
        let result = reader(stream::iter([Ok(rows)]).boxed()).next_batch(&|| false).await.unwrap();
        let ReadResult::Batch(batch) = result else { panic!("no batch") };
        assert_eq!((batch.rows.len(), batch.valid_count), (50, 0));
    }

    #[tokio::test]
    async fn a_row_without_an_end_ends_the_import() {
        let result = endless_row().next_batch(&|| false).await.unwrap();
        assert!(matches!(result, ReadResult::RowTooLong { line: 1 }));
    }

    #[tokio::test]
    async fn the_deadline_is_noticed_within_a_row() {
        let checks = AtomicU32::new(0);
        let is_past_deadline = || checks.fetch_add(1, Ordering::Relaxed) == 3;
        let result = endless_row().next_batch(&is_past_deadline).await.unwrap();
        assert!(matches!(result, ReadResult::DeadlinePassed));
        assert_eq!(checks.into_inner(), 4);
    }
}
