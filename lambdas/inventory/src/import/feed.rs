//! Rows out of a file, in batches, and what becomes of each.

use std::collections::{HashMap, VecDeque};

use bytes::{Buf, Bytes};
use domain::Sku;
use futures::StreamExt;
use platform::objects::Chunks;

use super::apply::{Applier, BATCH, Outcome, duplicate};
use super::lines::{Lines, Position, Record};
use super::progress::Progress;
use super::results::Rejected;
use super::row::{Fault, Header, Row};
use super::sniff;

/// How many SKUs are remembered, to tell duplicates without asking the table: more than are in flight.
const REMEMBERED: usize = 10_000;
/// The longest row that is passed over, in bytes. Beyond, nobody would wait for its end.
const HOPELESS_ROW: u64 = 256 * 1024 * 1024;

/// The file's bytes, as they come.
pub(super) struct Source {
    chunks: Chunks,
    buffer: Bytes,
}

/// What is behind the header, or why there is none: with what to show of it.
pub(super) type Opened = Result<(Header, Position), (Record, Fault)>;

impl Source {
    pub(super) fn new(chunks: Chunks) -> Self {
        Self { chunks, buffer: Bytes::new() }
    }

    /// Has bytes in the buffer, if there are any left.
    async fn fill(&mut self) -> anyhow::Result<bool> {
        while self.buffer.is_empty() {
            match self.chunks.next().await {
                Some(chunk) => self.buffer = chunk?,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Reads what is before the rows.
    pub(super) async fn header(&mut self) -> anyhow::Result<Opened> {
        let mut start = Vec::new();
        while start.len() < sniff::LOOKED_AT && self.fill().await? {
            start.extend_from_slice(&std::mem::take(&mut self.buffer));
        }
        self.buffer = start.into();
        let looked_at = self.buffer.get(..sniff::LOOKED_AT).unwrap_or(&self.buffer);
        let nothing = Record { line: 1, end: Position::START, fields: Vec::new(), cut: None };
        if let Err(reason) = sniff::is_text(looked_at) {
            return Ok(Err((nothing, Fault::of_row(reason))));
        }
        let mark = if looked_at.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let separator = sniff::separator(looked_at);
        self.buffer.advance(mark);
        let position = Position { offset: u64::try_from(mark)?, ..Position::START };
        let mut lines = Lines::new(separator, position);
        loop {
            if !self.fill().await? {
                let record = lines.finish().unwrap_or(nothing);
                return Ok(opened(separator, record));
            }
            if let Some(record) = self.next(&mut lines) {
                return Ok(opened(separator, record));
            }
            if lines.unfinished() > HOPELESS_ROW {
                return Ok(Err((nothing, Fault::of_row("the first line goes on and on"))));
            }
        }
    }

    fn next(&mut self, lines: &mut Lines) -> Option<Record> {
        let mut input = self.buffer.as_ref();
        let record = lines.next(&mut input);
        let read = self.buffer.len().saturating_sub(input.len());
        self.buffer.advance(read);
        record
    }
}

fn opened(separator: u8, record: Record) -> Opened {
    match Header::read(separator, &record) {
        Ok(header) => Ok((header, record.end)),
        Err(fault) => Err((record, fault)),
    }
}

/// Takes batches of rows out of a file.
pub(super) struct Feed {
    source: Source,
    lines: Lines,
    header: Header,
    recent: Recent,
}

/// What is next in a file.
pub(super) enum Fed {
    /// These rows.
    Batch(Batch),
    /// There are no more.
    End,
    /// The function's time is up.
    Late,
    /// The row that begins there has no end.
    Hopeless { line: u64 },
}

impl Feed {
    /// The rows from `position` on, which is where `source` is.
    pub(super) fn new(source: Source, header: Header, position: Position) -> Self {
        let lines = Lines::new(header.separator, position);
        Self { source, lines, header, recent: Recent::default() }
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// The next rows. Stops between two of them when it is late.
    pub(super) async fn batch(&mut self, late: &(dyn Fn() -> bool + Sync)) -> anyhow::Result<Fed> {
        let mut batch = Batch::default();
        if late() {
            return Ok(Fed::Late);
        }
        // Twice as many, where some are rejected: those wait in memory too.
        while batch.good < BATCH && batch.rows.len() < 2 * BATCH {
            if !self.source.fill().await? {
                match self.lines.finish() {
                    Some(record) => self.take(record, &mut batch),
                    None if batch.end.is_none() => return Ok(Fed::End),
                    None => break,
                }
            } else if let Some(record) = self.source.next(&mut self.lines) {
                self.take(record, &mut batch);
            } else if self.lines.unfinished() > HOPELESS_ROW || late() {
                // In the middle of a row: what is before it is dealt with first.
                break;
            }
        }
        if batch.end.is_some() {
            return Ok(Fed::Batch(batch));
        }
        let hopeless = self.lines.unfinished() > HOPELESS_ROW;
        Ok(if hopeless { Fed::Hopeless { line: self.lines.line() } } else { Fed::Late })
    }

    fn take(&mut self, record: Record, batch: &mut Batch) {
        batch.end = Some(record.end);
        if !Header::is_row(&record) {
            return;
        }
        let row = self.header.row(&record).and_then(|row| match self.recent.first_line(&row.sku, record.line) {
            Some(line) => Err(duplicate(line)),
            None => Ok(row),
        });
        batch.good += usize::from(row.is_ok());
        batch.rows.push((record, row));
    }
}

/// On which lines the last SKUs were, so that no two rows of one are in flight at the same time.
#[derive(Default)]
struct Recent {
    lines: HashMap<Sku, u64>,
    order: VecDeque<Sku>,
}

impl Recent {
    /// The line on which the SKU was before, if it is remembered. It is from now on.
    fn first_line(&mut self, sku: &Sku, line: u64) -> Option<u64> {
        if let Some(first) = self.lines.get(sku) {
            return Some(*first);
        }
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.lines.remove(&oldest);
        }
        self.lines.insert(sku.clone(), line);
        self.order.push_back(sku.clone());
        None
    }
}

/// Rows that are applied together.
#[derive(Default)]
pub(super) struct Batch {
    rows: Vec<(Record, Result<Row, Fault>)>,
    good: usize,
    end: Option<Position>,
}

/// What became of them.
pub(super) struct AppliedBatch {
    rows: Vec<(Record, Result<(Row, Outcome), Fault>)>,
    end: Option<Position>,
}

impl Batch {
    /// Applies those that are good.
    pub(super) async fn apply(self, applier: &Applier<'_>) -> anyhow::Result<AppliedBatch> {
        let good: Vec<(u64, Row)> = self
            .rows
            .iter()
            .filter_map(|(record, row)| Some((record.line, row.as_ref().ok()?.clone())))
            .collect();
        let mut outcomes = applier.apply(&good).await?.into_iter();
        let mut rows = Vec::with_capacity(self.rows.len());
        for (record, row) in self.rows {
            let row = match row {
                Ok(row) => match outcomes.next() {
                    Some(outcome) => Ok((row, outcome)),
                    None => anyhow::bail!("the row on line {} has no outcome", record.line),
                },
                Err(fault) => Err(fault),
            };
            rows.push((record, row));
        }
        Ok(AppliedBatch { rows, end: self.end })
    }
}

impl AppliedBatch {
    /// Counts them, in their order, and puts those aside that did nothing.
    pub(super) fn take_note(self, progress: &mut Progress, header: &Header, rejected: &mut Rejected) {
        let counts = &mut progress.counts;
        for (record, row) in self.rows {
            counts.rows = counts.rows.saturating_add(1);
            let fault = match row {
                Ok((row, Outcome::Applied)) => {
                    counts.applied = counts.applied.saturating_add(1);
                    counts.pieces = counts.pieces.saturating_add(row.quantity.into());
                    continue;
                }
                Ok((_, Outcome::Repeated)) => {
                    counts.repeated = counts.repeated.saturating_add(1);
                    continue;
                }
                Ok((_, Outcome::Refused(fault))) => fault,
                Err(fault) => fault,
            };
            rejected.add(Some(header), counts.rejected == 0, &record, &fault);
            counts.rejected = counts.rejected.saturating_add(1);
        }
        if let Some(end) = self.end {
            progress.position = end;
        }
    }
}
