//! CSV (RFC 4180) for spreadsheets.
//!
//! A file starts with a byte order mark, without which Excel does not recognize UTF-8.

use csv_core::{Terminator, WriteResult, Writer, WriterBuilder};

/// A writer of CSV rows.
pub(crate) struct Csv<'a> {
    writer: Writer,
    out: &'a mut Vec<u8>,
}

impl<'a> Csv<'a> {
    /// Starts a file with a byte order mark.
    pub(crate) fn start_file(out: &'a mut Vec<u8>) -> Self {
        out.extend_from_slice("\u{feff}".as_bytes());
        Self::append(out)
    }

    /// Continues a file.
    pub(crate) fn append(out: &'a mut Vec<u8>) -> Self {
        let writer = WriterBuilder::new().terminator(Terminator::CRLF).build();
        Self { writer, out }
    }

    /// Writes a row.
    pub(crate) fn write_row(&mut self, cells: &[&str]) {
        for (index, cell) in cells.iter().enumerate() {
            if index > 0 {
                self.write_separator(Writer::delimiter);
            }
            let mut rest = cell.as_bytes();
            loop {
                let mut buffer = [0; 256];
                let (result, read, written) = self.writer.field(rest, &mut buffer);
                self.out.extend_from_slice(buffer.get(..written).unwrap_or_default());
                rest = rest.get(read..).unwrap_or_default();
                if result == WriteResult::InputEmpty {
                    break;
                }
            }
        }
        self.write_separator(Writer::terminator);
    }

    /// Writes the separator after a field: a few bytes.
    fn write_separator(&mut self, write: fn(&mut Writer, &mut [u8]) -> (WriteResult, usize)) {
        let mut buffer = [0; 8];
        let (_, written) = write(&mut self.writer, &mut buffer);
        self.out.extend_from_slice(buffer.get(..written).unwrap_or_default());
    }
}

/// Prefixes text that a spreadsheet would interpret as a formula with an apostrophe
/// (<https://owasp.org/www-community/attacks/CSV_Injection>). Spreadsheets in East Asian locales interpret
/// the full-width characters in the same way.
pub(crate) fn escape_formula(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn formulas_are_escaped() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "－2+3"] {
            assert_eq!(escape_formula(formula), format!("'{formula}"));
        }
        for text in ["Ada", "TEA-001", "a=b", "", "1"] {
            assert_eq!(escape_formula(text), text);
        }
    }

    #[test]
    fn cells_are_quoted_where_necessary() {
        let mut out = Vec::new();
        let mut csv = Csv::start_file(&mut out);
        csv.write_row(&["a", "b,c", "d\"e", "f\r\ng", ""]);
        csv.write_row(&["", "x"]);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "\u{feff}a,\"b,c\",\"d\"\"e\",\"f\r\ng\",\r\n,x\r\n");
    }

    proptest! {
        /// For any cells, a reader gets the same cells back.
        #[test]
        fn cells_round_trip(cells in prop::collection::vec("(?s).{0,400}", 2..5)) {
            let mut out = Vec::new();
            let texts: Vec<&str> = cells.iter().map(String::as_str).collect();
            Csv::start_file(&mut out).write_row(&texts);
            let (mut fields, mut ends) = (vec![0; out.len() + 1], vec![0; 16]);
            let (_, _, _, count) = csv_core::Reader::new().read_record(&out, &mut fields, &mut ends);
            let starts = std::iter::once(0).chain(ends.iter().copied());
            let read: Vec<&[u8]> = starts.zip(&ends).take(count).map(|(start, end)| &fields[start..*end]).collect();
            let written: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
            prop_assert_eq!(read, written);
        }
    }
}
