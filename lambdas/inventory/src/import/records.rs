//! Splits a byte stream into CSV records. Whatever the input, at most [`MAX_ROW_BYTES`] are buffered.

use csv_core::{ReadRecordResult, ReaderBuilder};
use serde::{Deserialize, Serialize};

/// The maximum size of a row. The longest valid row has a tenth of it.
pub const MAX_ROW_BYTES: usize = 16 * 1024;
/// The maximum number of fields of a row.
pub const MAX_FIELDS: usize = 32;
/// The number of bytes that are kept of an oversized row: enough to identify it.
const TRUNCATED_BYTES: usize = 256;

/// A position in a file from which reading can resume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The offset in bytes.
    pub offset: u64,
    /// The line number, starting at 1.
    pub line: u64,
    /// Whether the preceding byte is `\r`, so that a `\n` at the position does not end another line.
    pub after_return: bool,
}

impl Position {
    /// The start of a file.
    pub const START: Self = Self { offset: 0, line: 1, after_return: false };
}

/// A record of a CSV file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The number of the line on which the record starts, from 1.
    pub line: u64,
    /// The position after the record.
    pub end: Position,
    /// The fields, not yet decoded.
    pub fields: Vec<Vec<u8>>,
    /// The reason why the record was truncated, if it was.
    pub truncation: Option<Truncation>,
}

/// The reason why a record was truncated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truncation {
    /// The record is larger than [`MAX_ROW_BYTES`].
    TooLong,
    /// The record has more than [`MAX_FIELDS`].
    TooManyFields,
}

/// Reads records from a byte stream.
pub struct RecordReader {
    reader: csv_core::Reader,
    text: Vec<u8>,
    text_len: usize,
    field_ends: Vec<usize>,
    field_count: usize,
    truncation: Option<Truncation>,
    prefix: Vec<u8>,
    in_record: bool,
    start: Position,
    position: Position,
}

impl RecordReader {
    /// Creates a reader that starts at `position`, which is the start of the file or the end of a record.
    pub fn new(separator: u8, position: Position) -> Self {
        // The parser would strip a byte order mark here, which may be the middle of the file. Feeding it a
        // line first prevents that; the caller strips the mark at the start of the file.
        let mut reader = ReaderBuilder::new().delimiter(separator).build();
        let (_, _, _, _) = reader.read_record(b"\n", &mut [0], &mut [0]);
        Self {
            reader,
            text: vec![0; MAX_ROW_BYTES],
            text_len: 0,
            field_ends: vec![0; MAX_FIELDS + 1],
            field_count: 0,
            truncation: None,
            prefix: Vec::new(),
            in_record: false,
            start: position,
            position,
        }
    }

    /// The number of bytes read of an incomplete record.
    pub fn pending_bytes(&self) -> u64 {
        if self.in_record { self.position.offset.saturating_sub(self.start.offset) } else { 0 }
    }

    /// The number of the line on which the current record starts.
    pub fn line(&self) -> u64 {
        if self.in_record { self.start.line } else { self.position.line }
    }

    /// Returns the next record, if `input` contains its end. Otherwise, consumes all of `input`.
    pub fn next(&mut self, input: &mut &[u8]) -> Option<Record> {
        if !self.in_record {
            let blank = input.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
            self.consume(input, blank);
            if input.is_empty() {
                return None;
            }
            (self.in_record, self.start) = (true, self.position);
        }
        while !input.is_empty() {
            if let Some(record) = self.read(input) {
                return Some(record);
            }
        }
        None
    }

    /// Returns the last record, if the file does not end with a line terminator.
    pub fn finish(&mut self) -> Option<Record> {
        if self.in_record { self.read(&mut &[][..]) } else { None }
    }

    fn read(&mut self, input: &mut &[u8]) -> Option<Record> {
        let text = self.text.get_mut(self.text_len..).unwrap_or_default();
        let ends = self.field_ends.get_mut(self.field_count..).unwrap_or_default();
        let (result, read, written, ended) = self.reader.read_record(input, text, ends);
        self.consume(input, read);
        self.text_len += written;
        self.field_count += ended;
        match result {
            ReadRecordResult::InputEmpty => None,
            ReadRecordResult::OutputFull => self.truncate(Truncation::TooLong),
            ReadRecordResult::OutputEndsFull => self.truncate(Truncation::TooManyFields),
            ReadRecordResult::Record | ReadRecordResult::End => Some(self.take_record()),
        }
    }

    /// Discards the current record except for its prefix, and continues.
    fn truncate<T>(&mut self, reason: Truncation) -> Option<T> {
        if self.truncation.is_none() {
            self.truncation = Some(reason);
            self.prefix = self.text.get(..TRUNCATED_BYTES.min(self.text_len)).unwrap_or_default().to_vec();
        }
        (self.text_len, self.field_count) = (0, 0);
        None
    }

    fn take_record(&mut self) -> Record {
        let mut fields = Vec::with_capacity(self.field_count);
        if self.truncation.is_some() {
            fields.push(std::mem::take(&mut self.prefix));
        } else {
            let mut from = 0;
            for end in self.field_ends.iter().take(self.field_count) {
                fields.push(self.text.get(from..*end).unwrap_or_default().to_vec());
                from = *end;
            }
        }
        (self.text_len, self.field_count, self.in_record) = (0, 0, false);
        Record { line: self.start.line, end: self.position, fields, truncation: self.truncation.take() }
    }

    /// Consumes bytes and advances the position. A line ends with `\n`, `\r` or `\r\n`.
    fn consume(&mut self, input: &mut &[u8], count: usize) {
        let (consumed, rest) = input.split_at_checked(count).unwrap_or((input, &[]));
        let position = &mut self.position;
        for byte in consumed {
            match byte {
                b'\n' if position.after_return => {}
                b'\n' | b'\r' => position.line = position.line.saturating_add(1),
                _ => {}
            }
            position.after_return = *byte == b'\r';
        }
        position.offset = position.offset.saturating_add(u64::try_from(consumed.len()).unwrap_or(u64::MAX));
        *input = rest;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads all records of a text in chunks of `chunk_len` bytes.
    fn records(text: &[u8], chunk_len: usize) -> Vec<Record> {
        records_from(text, chunk_len, Position::START)
    }

    fn records_from(text: &[u8], chunk_len: usize, position: Position) -> Vec<Record> {
        let mut reader = RecordReader::new(b',', position);
        let mut records = Vec::new();
        for mut input in text[usize::try_from(position.offset).unwrap()..].chunks(chunk_len) {
            while let Some(record) = reader.next(&mut input) {
                records.push(record);
            }
        }
        records.extend(reader.finish());
        records
    }

    fn summaries(records: &[Record]) -> Vec<(u64, String)> {
        let fields = |record: &Record| String::from_utf8_lossy(&record.fields.join(&b'|')).into_owned();
        records.iter().map(|record| (record.line, fields(record))).collect()
    }

    #[test]
    fn records_have_the_number_of_their_first_line() {
        let text = b"a,b\r\n\r\n\"x\ny\",\"say \"\"hi\"\"\"\r\nc,\n\n\rd,e";
        let expected = [(1, "a|b"), (3, "x\ny|say \"hi\""), (5, "c|"), (8, "d|e")];
        for chunk_len in 1..text.len() {
            let found = summaries(&records(text, chunk_len));
            assert_eq!(
                found,
                expected.map(|(line, text)| (line, text.to_owned())),
                "in chunks of {chunk_len}"
            );
        }
    }

    #[test]
    fn an_oversized_row_is_truncated_and_skipped() {
        let long = [b"A,".to_vec(), vec![b'x'; 3 * MAX_ROW_BYTES], b"\nB,1\n".to_vec()].concat();
        let found = records(&long, 1000);
        assert_eq!(
            (found[0].truncation, found[0].fields[0].len()),
            (Some(Truncation::TooLong), TRUNCATED_BYTES)
        );
        assert_eq!(summaries(&found[1..]), [(2, "B|1".to_owned())]);
        let wide = [vec![b','; 1000], b"\nB,1\n".to_vec()].concat();
        let found = records(&wide, 1000);
        assert_eq!((found[0].truncation, found.len()), (Some(Truncation::TooManyFields), 2));
        let longest = [vec![b'x'; MAX_ROW_BYTES - 1], b"\nB,1".to_vec()].concat();
        assert_eq!(records(&longest, 1000)[0].truncation, None);
    }

    #[test]
    fn a_byte_order_mark_in_the_middle_of_a_file_is_text() {
        assert_eq!(
            summaries(&records_from(
                b"a\n\xef\xbb\xbfb\n",
                9,
                Position { offset: 2, line: 2, after_return: false }
            )),
            [(2, "\u{feff}b".to_owned())]
        );
    }

    proptest! {
        /// Resuming after any record yields the same remaining records.
        #[test]
        fn reading_can_resume_after_each_record(
            text in prop::collection::vec(prop::sample::select(b"ab,,\"\"\r\n\n\0\xff".to_vec()), 0..60),
            chunk_len in 1_usize..9,
        ) {
            let all = records(&text, chunk_len);
            for (index, record) in all.iter().enumerate() {
                prop_assert_eq!(&records_from(&text, chunk_len, record.end), &all[index + 1..]);
            }
        }
    }
}
