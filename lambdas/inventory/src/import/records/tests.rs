//! Valid records, and records with each kind of defect.

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
    records.extend(std::iter::from_fn(|| reader.finish()));
    records
}

fn summaries(records: &[Record]) -> Vec<(u64, String)> {
    let fields = |record: &Record| String::from_utf8_lossy(&record.fields.join(&b'|')).into_owned();
    records.iter().map(|record| (record.line, fields(record))).collect()
}

fn defect(record: &Record) -> Option<(usize, DefectKind)> {
    record.defect.map(|defect| (defect.field, defect.kind))
}

#[test]
fn records_have_the_number_of_their_first_line() {
    let text = b"a,b\r\n\r\n\"x\ny\",\"say \"\"hi\"\"\"\r\nc,\n\n\rd,e";
    let expected = [(1, "a|b"), (3, "x\ny|say \"hi\""), (5, "c|"), (8, "d|e")];
    for chunk_len in 1..text.len() {
        let found = summaries(&records(text, chunk_len));
        assert_eq!(found, expected.map(|(line, text)| (line, text.to_owned())), "in chunks of {chunk_len}");
    }
}

#[test]
fn an_oversized_row_is_truncated_and_skipped() {
    let long = [b"A,".to_vec(), vec![b'x'; 3 * MAX_ROW_BYTES], b"\nB,1\n".to_vec()].concat();
    let found = records(&long, 1000);
    assert_eq!(
        (defect(&found[0]), found[0].fields[0].len()),
        (Some((1, DefectKind::TooLong)), TRUNCATED_BYTES)
    );
    assert_eq!(summaries(&found[1..]), [(2, "B|1".to_owned())]);
    assert_eq!(records_from(&long, 1000, found[0].end), found[1..]);
    let wide = [vec![b','; 1000], b"x\nB,1\n".to_vec()].concat();
    let found = records(&wide, 1000);
    assert_eq!((defect(&found[0]), found.len()), (Some((1000, DefectKind::TooManyFields)), 2));
    for (commas, expected) in [(31, None), (32, Some((32, DefectKind::TooManyFields)))] {
        let row = [vec![b','; commas], b"x\n".to_vec()].concat();
        assert_eq!(defect(&records(&row, 1000)[0]), expected, "{commas}");
    }
    let longest = [vec![b'x'; 16 * 1024 - 1], b"\nB,1".to_vec()].concat();
    assert_eq!(records(&longest, 1000)[0].defect, None);
    let empty_columns = [b"A,1".to_vec(), vec![b','; 1000], b"\n".to_vec()].concat();
    assert_eq!(defect(&records(&empty_columns, 1000)[0]), None);
}

#[test]
fn the_bytes_of_an_oversized_row_are_counted_while_it_is_skipped() {
    let mut reader = RecordReader::new(b',', Position::START);
    let text = [b"A,1\n".to_vec(), vec![b'x'; 2 * MAX_ROW_BYTES]].concat();
    let mut input = text.as_slice();
    assert!(reader.next(&mut input).is_some());
    assert_eq!((reader.line(), reader.skipped_bytes()), (2, 0));
    assert_eq!(reader.next(&mut input), None);
    assert_eq!((reader.line(), reader.skipped_bytes()), (2, 2 * 16 * 1024));
}

#[test]
fn a_record_with_a_misplaced_quotation_mark_ends_with_its_line() {
    use DefectKind::{QuoteInField, TextAfterQuote, UnclosedQuote};
    for (line, field, kind) in [
        ("A,\"Tea \\\"Best\\\"\",1", 1, TextAfterQuote),
        ("A,\"Tea\"x,1", 1, TextAfterQuote),
        ("A,\"\"Tea\"\",1", 1, TextAfterQuote),
        ("A,Tea \"Best\",1", 1, QuoteInField),
        ("A,Tea\",1", 1, QuoteInField),
        ("A,\"Tea,1", 1, UnclosedQuote),
        ("A,Tea,\"1", 2, UnclosedQuote),
        ("A,\"Tea\\\"\",1", 1, UnclosedQuote),
        ("A,\"Tea \"\"Best\"\",1", 1, UnclosedQuote),
    ] {
        // Whether the closing quotation mark is sought in vain up to that of another row, up to the end of
        // the file, or up to the maximum size.
        let rows = "C,1\n".repeat(MAX_ROW_BYTES);
        for rest in ["\r\nB,\"Coffee\",1\n", "\nC,1\nD,1", "", &format!("\n{rows}")] {
            let text = format!("{line}{rest}");
            let found = records(text.as_bytes(), if text.len() < 100 { 7 } else { text.len() });
            assert_eq!(defect(&found[0]), Some((field, kind)), "{line}");
            assert_eq!(summaries(&found[..1]), [(1, line.to_owned())]);
            let after: Vec<&str> = rest.lines().filter(|line| !line.is_empty()).collect();
            assert_eq!(found.len() - 1, after.len(), "{line}");
            assert!(found[1..].iter().all(|record| record.defect.is_none()), "{line}");
        }
    }
}

#[test]
fn blanks_around_a_quoted_field_are_ignored() {
    assert_eq!(summaries(&records(b"a, \"b, c\"\t,\"d\" \n", 9)), [(1, "a|b, c|d".to_owned())]);
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
    /// Resuming after any record yields the same remaining records, and so do chunks of any size.
    #[test]
    fn reading_can_resume_after_each_record(
        text in prop::collection::vec(prop::sample::select(b"ab,,\"\"\r\n\n \0\xff".to_vec()), 0..60),
        chunk_len in 1_usize..9,
    ) {
        let all = records(&text, chunk_len);
        prop_assert_eq!(&all, &records(&text, text.len().max(1)));
        for (index, record) in all.iter().enumerate() {
            prop_assert_eq!(&records_from(&text, chunk_len, record.end), &all[index + 1..]);
        }
    }
}
