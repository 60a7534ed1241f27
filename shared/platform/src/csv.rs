//! CSV (RFC 4180) that spreadsheets read as it is meant.
//!
//! A file starts with a byte order mark, without which Excel does not recognize UTF-8, and no cell becomes a
//! formula (<https://owasp.org/www-community/attacks/CSV_Injection>).

use csv_core::{Terminator, WriteResult, Writer, WriterBuilder};

/// The characters that start a formula. Spreadsheets in East Asian locales interpret the full-width ones in
/// the same way.
const FORMULA_STARTS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// The characters at which a spreadsheet may split a cell, because it expects another separator than that of
/// the file.
const SEPARATORS: [char; 10] =
    [',', ';', '\t', '\r', '\n', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'];

/// A writer of CSV rows.
pub struct Csv<'a> {
    writer: Writer,
    out: &'a mut Vec<u8>,
}

impl<'a> Csv<'a> {
    /// Starts a file with a byte order mark.
    pub fn start_file(out: &'a mut Vec<u8>, separator: u8) -> Self {
        out.extend_from_slice("\u{feff}".as_bytes());
        Self::append(out, separator)
    }

    /// Continues a file.
    pub fn append(out: &'a mut Vec<u8>, separator: u8) -> Self {
        let writer = WriterBuilder::new().delimiter(separator).terminator(Terminator::CRLF).build();
        Self { writer, out }
    }

    /// Writes a row, with [`escape_formulas`] applied to each cell.
    pub fn write_row(&mut self, cells: &[&str]) {
        for (index, cell) in cells.iter().enumerate() {
            if index > 0 {
                self.write_separator(Writer::delimiter);
            }
            let cell = escape_formulas(cell);
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

/// Inserts an apostrophe before each character that starts a formula, at the start of the text or wherever a
/// spreadsheet may split it. [`unescape_formulas`] is the inverse.
pub fn escape_formulas(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut from = 0;
    for at in formula_starts(text) {
        escaped.push_str(text.get(from..at).unwrap_or_default());
        escaped.push('\'');
        from = at;
    }
    escaped.push_str(text.get(from..).unwrap_or_default());
    escaped
}

/// Removes the apostrophes that [`escape_formulas`] has inserted. The result is the original text only for
/// text that was escaped: other text may have such an apostrophe of its own.
pub fn unescape_formulas(text: &str) -> String {
    let mut original = String::with_capacity(text.len());
    let mut from = 0;
    for at in formula_starts(text) {
        let before = text.get(from..at).unwrap_or_default();
        original.push_str(before.strip_suffix('\'').unwrap_or(before));
        from = at;
    }
    original.push_str(text.get(from..).unwrap_or_default());
    original
}

/// The positions of the characters that start a formula in any of the cells into which a text may be split.
///
/// Blanks and quotation marks before them are skipped, because they can get lost. So are apostrophes, so that
/// escaping a text changes none of its other positions and can be undone.
fn formula_starts(text: &str) -> impl Iterator<Item = usize> {
    let (mut is_cell_start, mut is_text_start) = (true, true);
    text.char_indices().filter_map(move |(index, c)| {
        let is_separator = SEPARATORS.contains(&c);
        let is_formula = is_cell_start
            && (FORMULA_STARTS.contains(&c) || (is_text_start && matches!(c, '\t' | '\r' | '\n')));
        let is_skipped = c.is_whitespace() || matches!(c, '"' | '\'');
        is_cell_start = is_separator || (is_cell_start && is_skipped);
        is_text_start &= is_cell_start && !is_separator;
        is_formula.then_some(index)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn formulas_are_escaped() {
        for (text, escaped) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("＝1", "'＝1"),
            ("－2+3", "'－2+3"),
            ("\t=1", "'\t'=1"),
            ("\r=1", "'\r'=1"),
            ("\nAda", "'\nAda"),
            (" =1", " '=1"),
            ("\"=1", "\"'=1"),
            ("'=1", "''=1"),
            ("Ada;=1;b", "Ada;'=1;b"),
            ("Ada; \"＠x", "Ada; \"'＠x"),
            ("a,-1\t+2\r\n=3\u{2028}@4", "a,'-1\t'+2\r\n'=3\u{2028}'@4"),
        ] {
            assert_eq!(escape_formulas(text), escaped, "{text:?}");
        }
        for text in ["Ada", "TEA-001", "a=b", "", "1", "Anne-Marie", "size - L", "ada+shop@example.com", "'s"]
        {
            assert_eq!(escape_formulas(text), text);
        }
    }

    #[test]
    fn cells_are_quoted_where_necessary() {
        let mut out = Vec::new();
        let mut csv = Csv::start_file(&mut out, b',');
        csv.write_row(&["a", "b,c", "d\"e", "f\r\ng", ""]);
        Csv::append(&mut out, b';').write_row(&["", "b,c", "x;=y"]);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "\u{feff}a,\"b,c\",\"d\"\"e\",\"f\r\ng\",\r\n;b,c;\"x;'=y\"\r\n");
    }

    /// Text of the characters that matter, among others.
    fn text() -> impl Strategy<Value = String> {
        prop_oneof!["(?s).{0,400}", "[=+＠a'\"; ,\t\r\n\u{2028}-]{0,12}"]
    }

    proptest! {
        /// For any cells, a reader gets the same cells back once they are unescaped.
        #[test]
        fn cells_round_trip(
            cells in prop::collection::vec(text(), 2..5),
            separator in prop::sample::select(b",;\t".to_vec()),
        ) {
            let mut out = Vec::new();
            let texts: Vec<&str> = cells.iter().map(String::as_str).collect();
            Csv::start_file(&mut out, separator).write_row(&texts);
            let (mut fields, mut ends) = (vec![0; out.len() + 1], vec![0; 16]);
            let mut reader = csv_core::ReaderBuilder::new().delimiter(separator).build();
            let (_, _, _, count) = reader.read_record(&out, &mut fields, &mut ends);
            let starts = std::iter::once(0).chain(ends.iter().copied());
            let read: Vec<String> = starts
                .zip(&ends)
                .take(count)
                .map(|(start, end)| unescape_formulas(std::str::from_utf8(&fields[start..*end]).unwrap()))
                .collect();
            prop_assert_eq!(read, cells);
        }

        /// Wherever an escaped text is split, no part is a formula, even without its blanks and quotes.
        #[test]
        fn no_part_of_an_escaped_text_is_a_formula(text in text()) {
            let escaped = escape_formulas(&text);
            for part in escaped.split(SEPARATORS) {
                let start = part.trim_start_matches(|c: char| c.is_whitespace() || c == '"');
                prop_assert!(!start.starts_with(FORMULA_STARTS), "{escaped:?}");
            }
            prop_assert!(!escaped.starts_with(['\t', '\r', '\n']), "{escaped:?}");
        }
    }
}
