//! Splits a byte stream into CSV records, in bounded memory.
//!
//! The rules are those of RFC 4180: a field with quotation marks is enclosed in them, and those inside are
//! doubled. Common readers (`csv-core` among them) find a meaning for any text; this one says what is wrong
//! instead, because a wrong meaning would go unnoticed. Two liberties have only one meaning: blanks around a
//! quoted field, and lines that end in LF, CRLF or CR.
//!
//! A record that is not valid ends with its line, so that the rows after it are read on their own: after a
//! quotation mark that is not closed, too.

use serde::{Deserialize, Serialize};

/// The maximum size of a row in bytes, including its line terminator. The longest valid row has a tenth of
/// it.
pub const MAX_ROW_BYTES: usize = 16 * 1024;
/// The maximum number of fields of a row. Empty ones at its end do not count.
pub const MAX_FIELDS: usize = 32;
/// The number of bytes that are kept of a row with too many bytes or fields: enough to identify it.
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

    /// Moves the position to the end of these bytes. A line ends with `\n`, `\r` or `\r\n`.
    fn advance(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' if self.after_return => {}
                b'\n' | b'\r' => self.line = self.line.saturating_add(1),
                _ => {}
            }
            self.after_return = *byte == b'\r';
        }
        self.offset = self.offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    }
}

/// A record of a CSV file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The number of the line on which the record starts, from 1.
    pub line: u64,
    /// The position after the record.
    pub end: Position,
    /// The fields, not yet decoded. With a defect, the text of the line as one field, possibly truncated.
    pub fields: Vec<Vec<u8>>,
    /// The reason why the record has no fields, if it has none.
    pub defect: Option<Defect>,
}

/// The reason why a record cannot be split into fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defect {
    /// The index of the field with the defect, from 0.
    pub field: usize,
    /// The kind of defect.
    pub kind: DefectKind,
}

/// What is wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefectKind {
    /// The record is larger than [`MAX_ROW_BYTES`].
    TooLong,
    /// The record has more than [`MAX_FIELDS`].
    TooManyFields,
    /// An unquoted field contains a quotation mark.
    QuoteInField,
    /// The closing quotation mark of a field is followed by text.
    TextAfterQuote,
    /// The quotation mark at the start of a field is not closed, neither on its line nor by a later one.
    UnclosedQuote,
}

/// Reads records from a byte stream.
pub struct RecordReader {
    separator: u8,
    /// The position of the first byte that belongs to no record yet.
    position: Position,
    /// The bytes from that position on that have been read, fewer than [`MAX_ROW_BYTES`].
    buffer: Vec<u8>,
    /// An oversized record, whose line is being skipped.
    oversized: Option<Record>,
}

impl RecordReader {
    /// Creates a reader that starts at `position`, which is the start of the file or the end of a record.
    pub fn new(separator: u8, position: Position) -> Self {
        Self { separator, position, buffer: Vec::new(), oversized: None }
    }

    /// The number of bytes read of an oversized record.
    pub fn skipped_bytes(&self) -> u64 {
        let start = self.oversized.as_ref().map_or(self.position.offset, |record| record.end.offset);
        self.position.offset.saturating_sub(start)
    }

    /// The number of the line on which the current record starts.
    pub fn line(&self) -> u64 {
        self.oversized.as_ref().map_or(self.position.line, |record| record.line)
    }

    /// Returns the next record, if `input` contains its end. Otherwise, consumes all of `input`.
    pub fn next(&mut self, input: &mut &[u8]) -> Option<Record> {
        while !self.buffer.is_empty() {
            if let Some(record) = self.read_buffer(false) {
                return Some(record);
            }
            if input.is_empty() {
                return None;
            }
            // A record ends with a line, so that the bytes after it need not be copied.
            let line_len = line_end(input).map_or(input.len(), |end| end.saturating_add(1));
            let room = MAX_ROW_BYTES.saturating_sub(self.buffer.len());
            let (line, rest) = input.split_at_checked(line_len.min(room)).unwrap_or((input, &[]));
            self.buffer.extend_from_slice(line);
            *input = rest;
        }
        let record = self.read(input, false);
        if record.is_none() {
            self.buffer.extend_from_slice(input);
            *input = &[];
        }
        record
    }

    /// Returns the next record at the end of the file. To be called until there is none.
    pub fn finish(&mut self) -> Option<Record> {
        self.read_buffer(true)
    }

    fn read_buffer(&mut self, is_end: bool) -> Option<Record> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut rest = buffer.as_slice();
        let record = self.read(&mut rest, is_end);
        let read = buffer.len().saturating_sub(rest.len());
        buffer.drain(..read);
        self.buffer = buffer;
        record
    }

    /// Reads the next record from the start of `bytes`. `is_end`: whether the file ends with them. If it does
    /// not, returns `None` if the record may continue after them: they are then fewer than [`MAX_ROW_BYTES`].
    fn read(&mut self, bytes: &mut &[u8], is_end: bool) -> Option<Record> {
        if self.oversized.is_none() {
            let blank = bytes.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
            self.consume(bytes, blank);
            if bytes.is_empty() {
                return None;
            }
            let window = bytes.get(..MAX_ROW_BYTES).unwrap_or(bytes);
            let extent = match window.len() {
                MAX_ROW_BYTES => Extent::Full,
                _ if is_end => Extent::End,
                _ => Extent::Partial,
            };
            let line = self.position.line;
            match split(window, self.separator, extent) {
                Ok(Split { len, fields, defect }) => {
                    self.consume(bytes, len);
                    return Some(Record { line, end: self.position, fields, defect });
                }
                Err(_) if extent == Extent::Partial => return None,
                Err(Incomplete { field }) => {
                    let defect = Some(Defect { field, kind: DefectKind::TooLong });
                    let fields = vec![truncated(window)];
                    self.oversized = Some(Record { line, end: self.position, fields, defect });
                }
            }
        }
        let end = line_end(bytes);
        self.consume(bytes, end.map_or(bytes.len(), |end| end.saturating_add(1)));
        if end.is_none() && !is_end {
            return None;
        }
        let record = self.oversized.take()?;
        Some(Record { end: self.position, ..record })
    }

    fn consume(&mut self, bytes: &mut &[u8], count: usize) {
        let (consumed, rest) = bytes.split_at_checked(count).unwrap_or((bytes, &[]));
        self.position.advance(consumed);
        *bytes = rest;
    }
}

/// What follows the bytes that are being split.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Possibly more bytes of the record.
    Partial,
    /// More bytes, but the record has reached its maximum size.
    Full,
    /// The end of the file.
    End,
}

/// The first record of a text.
struct Split {
    /// The length in bytes, including the line terminator.
    len: usize,
    fields: Vec<Vec<u8>>,
    defect: Option<Defect>,
}

/// The end of the record is not in the text.
struct Incomplete {
    /// The index of the field in which the text ends.
    field: usize,
}

/// Splits the first record of `bytes`, which do not start with a line terminator, into its fields.
fn split(bytes: &[u8], separator: u8, extent: Extent) -> Result<Split, Incomplete> {
    let (mut fields, mut index, mut at) = (Vec::new(), 0_usize, 0_usize);
    let mut defect = None;
    let len = loop {
        let field = match parse_field(bytes.get(at..).unwrap_or_default(), separator) {
            Ok(field) => field,
            Err(FieldError::Unclosed) if extent == Extent::Partial => {
                return Err(Incomplete { field: index });
            }
            // The record ends with its first line, so that the rows after it are not lost.
            Err(error) => {
                let kind = match error {
                    FieldError::Unclosed => DefectKind::UnclosedQuote,
                    FieldError::Invalid(kind) => kind,
                };
                let (line, len) = match (line_end(bytes), extent) {
                    (Some(end), _) => (bytes.get(..end), end.saturating_add(1)),
                    (None, Extent::End) => (Some(bytes), bytes.len()),
                    (None, _) => return Err(Incomplete { field: index }),
                };
                let fields = vec![line.unwrap_or_default().to_vec()];
                return Ok(Split { len, fields, defect: Some(Defect { field: index, kind }) });
            }
        };
        if index < MAX_FIELDS {
            fields.push(field.value);
        } else if !field.value.trim_ascii().is_empty() {
            defect = defect.or(Some(Defect { field: index, kind: DefectKind::TooManyFields }));
        }
        at = at.saturating_add(field.len);
        match bytes.get(at) {
            Some(b'\n' | b'\r') => break at.saturating_add(1),
            Some(_) => (at, index) = (at.saturating_add(1), index.saturating_add(1)),
            None if extent == Extent::End => break at,
            None => return Err(Incomplete { field: index }),
        }
    };
    if defect.is_some() {
        fields = vec![truncated(bytes)];
    }
    Ok(Split { len, fields, defect })
}

struct Field {
    value: Vec<u8>,
    /// The length in bytes, without the separator or line terminator after it.
    len: usize,
}

enum FieldError {
    Invalid(DefectKind),
    /// The closing quotation mark is not in the text.
    Unclosed,
}

/// Parses the field at the start of `bytes`, which ends at a separator, a line terminator or with `bytes`.
fn parse_field(bytes: &[u8], separator: u8) -> Result<Field, FieldError> {
    let is_end = |byte: &u8| *byte == separator || matches!(byte, b'\n' | b'\r');
    let count_blanks = |bytes: &[u8]| {
        bytes.iter().take_while(|byte| matches!(byte, b' ' | b'\t') && **byte != separator).count()
    };
    let blanks = count_blanks(bytes);
    if bytes.get(blanks) != Some(&b'"') {
        let len = bytes.iter().position(is_end).unwrap_or(bytes.len());
        let value = bytes.get(..len).unwrap_or_default();
        if value.contains(&b'"') {
            return Err(FieldError::Invalid(DefectKind::QuoteInField));
        }
        return Ok(Field { value: value.to_vec(), len });
    }
    let (mut value, mut len) = (Vec::new(), blanks.saturating_add(1));
    loop {
        let rest = bytes.get(len..).unwrap_or_default();
        let quote = rest.iter().position(|byte| *byte == b'"').ok_or(FieldError::Unclosed)?;
        value.extend_from_slice(rest.get(..quote).unwrap_or_default());
        len = len.saturating_add(quote).saturating_add(1);
        if bytes.get(len) != Some(&b'"') {
            break;
        }
        value.push(b'"');
        len = len.saturating_add(1);
    }
    len = len.saturating_add(count_blanks(bytes.get(len..).unwrap_or_default()));
    match bytes.get(len) {
        None => Ok(Field { value, len }),
        Some(byte) if is_end(byte) => Ok(Field { value, len }),
        // On another line, it is more likely the opening quotation mark of another field.
        Some(_) if line_end(&value).is_some() => Err(FieldError::Invalid(DefectKind::UnclosedQuote)),
        Some(_) => Err(FieldError::Invalid(DefectKind::TextAfterQuote)),
    }
}

/// The position of the first line terminator.
fn line_end(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'))
}

fn truncated(bytes: &[u8]) -> Vec<u8> {
    bytes.get(..TRUNCATED_BYTES.min(bytes.len())).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests;
