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
        let asked = match self.header.row(&record) {
            Ok(row) if self.recent.remembers(&row.sku, record.line) => Asked::Again(row.sku),
            Ok(row) => Asked::For(row),
            Err(fault) => Asked::Nothing(fault),
        };
        batch.good += usize::from(matches!(asked, Asked::For(_)));
        batch.rows.push((record, asked));
    }
}

/// On which lines the last SKUs were, so that no two rows of one are in flight at the same time.
#[derive(Default)]
struct Recent {
    lines: HashMap<Sku, u64>,
    order: VecDeque<Sku>,
}

impl Recent {
    /// Whether the SKU was on a line before. It is from now on.
    fn remembers(&mut self, sku: &Sku, line: u64) -> bool {
        if self.lines.contains_key(sku) {
            return true;
        }
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.lines.remove(&oldest);
        }
        self.lines.insert(sku.clone(), line);
        self.order.push_back(sku.clone());
        false
    }

    /// The table knows of a line before the one that is remembered.
    fn correct(&mut self, sku: &Sku, line: u64) {
        if let Some(remembered) = self.lines.get_mut(sku) {
            *remembered = line;
        }
    }
}

/// What a row asks for.
enum Asked {
    /// Something that has to be done.
    For(Row),
    /// Something about a SKU that a row shortly before was about.
    Again(Sku),
    /// Nothing that can be done.
    Nothing(Fault),
}

/// Rows that are applied together.
#[derive(Default)]
pub(super) struct Batch {
    rows: Vec<(Record, Asked)>,
    good: usize,
    end: Option<Position>,
}

/// What became of them.
pub(super) struct AppliedBatch {
    batch: Batch,
    /// Of those that asked for something, in their order.
    outcomes: Vec<Outcome>,
}

impl Batch {
    /// Applies those that are good.
    pub(super) async fn apply(self, applier: &Applier<'_>) -> anyhow::Result<AppliedBatch> {
        let asked = |(record, asked): &(Record, Asked)| match asked {
            Asked::For(row) => Some((record.line, row.clone())),
            Asked::Again(_) | Asked::Nothing(_) => None,
        };
        let rows: Vec<(u64, Row)> = self.rows.iter().filter_map(asked).collect();
        let outcomes = applier.apply(&rows).await?;
        anyhow::ensure!(outcomes.len() == rows.len(), "not each row has an outcome");
        Ok(AppliedBatch { batch: self, outcomes })
    }
}

impl AppliedBatch {
    /// Counts them, in their order, and puts those aside that did nothing.
    pub(super) fn take_note(self, progress: &mut Progress, feed: &mut Feed, rejected: &mut Rejected) {
        let counts = &mut progress.counts;
        let mut outcomes = self.outcomes.into_iter();
        for (record, asked) in self.batch.rows {
            counts.rows = counts.rows.saturating_add(1);
            let fault = match asked {
                Asked::Nothing(fault) => fault,
                Asked::Again(sku) => duplicate(feed.recent.lines.get(&sku).copied().unwrap_or_default()),
                Asked::For(row) => match outcomes.next() {
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
                        feed.recent.correct(&row.sku, first);
                        duplicate(first)
                    }
                    Some(Outcome::Refused(fault)) => fault,
                    None => Fault::of_row("nothing is known of the row"),
                },
            };
            rejected.add(Some(&feed.header), counts.rejected == 0, &record, &fault);
            counts.rejected = counts.rejected.saturating_add(1);
        }
        if let Some(end) = self.batch.end {
            progress.position = end;
        }
    }
}
