//! Records out of bytes as they come. Whatever comes, no more is kept than [`LONGEST_ROW`].

use csv_core::{ReadRecordResult, ReaderBuilder};
use serde::{Deserialize, Serialize};

/// The most bytes that a row has. The longest one that is any good has a tenth of it.
pub const LONGEST_ROW: usize = 16 * 1024;
/// The most fields that a row has.
pub const MOST_FIELDS: usize = 32;
/// What is kept of a row that is too long, in bytes: enough to find it by.
const KEPT: usize = 256;

/// A place in a file at which reading can be taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// How many bytes are before it.
    pub offset: u64,
    /// On which line it is, from 1.
    pub line: u64,
    /// Whether a `\r` is right before it, so that a `\n` behind it ends no line.
    pub after_return: bool,
}

impl Position {
    /// The first byte of a file.
    pub const START: Self = Self { offset: 0, line: 1, after_return: false };
}

/// What was between two ends of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// On which line it begins, from 1.
    pub line: u64,
    /// What is behind it.
    pub end: Position,
    /// Its fields, as they are.
    pub fields: Vec<Vec<u8>>,
    /// Why these are not all that it has, where they are not.
    pub cut: Option<Cut>,
}

/// Why a record was not read whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// It has more than [`LONGEST_ROW`].
    TooLong,
    /// It has more than [`MOST_FIELDS`].
    TooManyFields,
}

/// Takes records out of bytes.
pub struct Lines {
    reader: csv_core::Reader,
    text: Vec<u8>,
    written: usize,
    ends: Vec<usize>,
    ended: usize,
    cut: Option<Cut>,
    kept: Vec<u8>,
    within: bool,
    start: Position,
    position: Position,
}

impl Lines {
    /// Of a file whose fields have this separator, from `position` on, which is where a record ends or the file begins.
    pub fn new(separator: u8, position: Position) -> Self {
        // The byte-order mark is taken off by who opens the file: the parser would also take one off in its middle.
        let mut reader = ReaderBuilder::new().delimiter(separator).build();
        let (_, _, _, _) = reader.read_record(b"\n", &mut [0], &mut [0]);
        Self {
            reader,
            text: vec![0; LONGEST_ROW],
            written: 0,
            ends: vec![0; MOST_FIELDS + 1],
            ended: 0,
            cut: None,
            kept: Vec::new(),
            within: false,
            start: position,
            position,
        }
    }

    /// How many bytes of a record are read whose end has not come yet.
    pub fn unfinished(&self) -> u64 {
        if self.within { self.position.offset.saturating_sub(self.start.offset) } else { 0 }
    }

    /// On which line the record begins that is being read.
    pub fn line(&self) -> u64 {
        if self.within { self.start.line } else { self.position.line }
    }

    /// The next record, if `input` has its end; else all of `input` is taken.
    pub fn next(&mut self, input: &mut &[u8]) -> Option<Record> {
        if !self.within {
            let blank = input.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
            self.take(input, blank);
            if input.is_empty() {
                return None;
            }
            (self.within, self.start) = (true, self.position);
        }
        while !input.is_empty() {
            if let Some(record) = self.read(input) {
                return Some(record);
            }
        }
        None
    }

    /// The last record, where the file does not end in a line's end.
    pub fn finish(&mut self) -> Option<Record> {
        if self.within { self.read(&mut &[][..]) } else { None }
    }

    fn read(&mut self, input: &mut &[u8]) -> Option<Record> {
        let text = self.text.get_mut(self.written..).unwrap_or_default();
        let ends = self.ends.get_mut(self.ended..).unwrap_or_default();
        let (result, read, written, ended) = self.reader.read_record(input, text, ends);
        self.take(input, read);
        self.written += written;
        self.ended += ended;
        match result {
            ReadRecordResult::InputEmpty => None,
            ReadRecordResult::OutputFull => self.cut(Cut::TooLong),
            ReadRecordResult::OutputEndsFull => self.cut(Cut::TooManyFields),
            ReadRecordResult::Record | ReadRecordResult::End => Some(self.record()),
        }
    }

    /// Goes on without what is read so far, but for its beginning.
    fn cut<T>(&mut self, why: Cut) -> Option<T> {
        if self.cut.is_none() {
            self.cut = Some(why);
            self.kept = self.text.get(..KEPT.min(self.written)).unwrap_or_default().to_vec();
        }
        (self.written, self.ended) = (0, 0);
        None
    }

    fn record(&mut self) -> Record {
        let mut fields = Vec::with_capacity(self.ended);
        if self.cut.is_some() {
            fields.push(std::mem::take(&mut self.kept));
        } else {
            let mut from = 0;
            for end in self.ends.iter().take(self.ended) {
                fields.push(self.text.get(from..*end).unwrap_or_default().to_vec());
                from = *end;
            }
        }
        (self.written, self.ended, self.within) = (0, 0, false);
        Record { line: self.start.line, end: self.position, fields, cut: self.cut.take() }
    }

    /// Counts bytes, and the lines that end in them: at `\n`, `\r` or both.
    fn take(&mut self, input: &mut &[u8], count: usize) {
        let (taken, rest) = input.split_at_checked(count).unwrap_or((input, &[]));
        let position = &mut self.position;
        for byte in taken {
            match byte {
                b'\n' if position.after_return => {}
                b'\n' | b'\r' => position.line = position.line.saturating_add(1),
                _ => {}
            }
            position.after_return = *byte == b'\r';
        }
        position.offset = position.offset.saturating_add(u64::try_from(taken.len()).unwrap_or(u64::MAX));
        *input = rest;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All records of a text, given piece by piece.
    fn records(text: &[u8], piece: usize) -> Vec<Record> {
        from(text, piece, Position::START)
    }

    fn from(text: &[u8], piece: usize, position: Position) -> Vec<Record> {
        let mut lines = Lines::new(b',', position);
        let mut records = Vec::new();
        for mut input in text[usize::try_from(position.offset).unwrap()..].chunks(piece) {
            while let Some(record) = lines.next(&mut input) {
                records.push(record);
            }
        }
        records.extend(lines.finish());
        records
    }

    fn shown(records: &[Record]) -> Vec<(u64, String)> {
        let fields = |record: &Record| String::from_utf8_lossy(&record.fields.join(&b'|')).into_owned();
        records.iter().map(|record| (record.line, fields(record))).collect()
    }

    #[test]
    fn records_know_on_which_line_they_begin() {
        let text = b"a,b\r\n\r\n\"x\ny\",\"say \"\"hi\"\"\"\r\nc,\n\n\rd,e";
        let wanted = [(1, "a|b"), (3, "x\ny|say \"hi\""), (5, "c|"), (8, "d|e")];
        for piece in 1..text.len() {
            let found = shown(&records(text, piece));
            assert_eq!(found, wanted.map(|(line, text)| (line, text.to_owned())), "in pieces of {piece}");
        }
    }

    #[test]
    fn a_row_that_is_too_long_is_passed_over() {
        let long = [b"A,".to_vec(), vec![b'x'; 3 * LONGEST_ROW], b"\nB,1\n".to_vec()].concat();
        let found = records(&long, 1000);
        assert_eq!((found[0].cut, found[0].fields[0].len()), (Some(Cut::TooLong), KEPT));
        assert_eq!(shown(&found[1..]), [(2, "B|1".to_owned())]);
        let wide = [vec![b','; 1000], b"\nB,1\n".to_vec()].concat();
        let found = records(&wide, 1000);
        assert_eq!((found[0].cut, found.len()), (Some(Cut::TooManyFields), 2));
        let just = [vec![b'x'; LONGEST_ROW - 1], b"\nB,1".to_vec()].concat();
        assert_eq!(records(&just, 1000)[0].cut, None);
    }

    #[test]
    fn a_mark_in_the_middle_of_a_file_is_text() {
        assert_eq!(
            shown(&from(b"a\n\xef\xbb\xbfb\n", 9, Position { offset: 2, line: 2, after_return: false })),
            [(2, "\u{feff}b".to_owned())]
        );
    }

    proptest! {
        /// Wherever reading is taken up behind a record, the rest is the same.
        #[test]
        fn reading_can_be_taken_up_behind_each_record(
            text in prop::collection::vec(prop::sample::select(b"ab,,\"\"\r\n\n\0\xff".to_vec()), 0..60),
            piece in 1_usize..9,
        ) {
            let all = records(&text, piece);
            for (index, record) in all.iter().enumerate() {
                prop_assert_eq!(&from(&text, piece, record.end), &all[index + 1..]);
            }
        }
    }
}
