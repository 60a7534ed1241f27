//! Headers and rows, valid and invalid.

use super::*;
use crate::import::records::{Position, RecordReader};

fn record(text: &str) -> Record {
    record_of(text.as_bytes())
}

fn record_of(mut text: &[u8]) -> Record {
    let mut reader = RecordReader::new(b',', Position::START);
    reader.next(&mut text).or_else(|| reader.finish()).unwrap()
}

fn header(text: &str) -> Result<Header, String> {
    Header::parse(b',', &record(text)).map_err(|error| format!("{}: {}", error.column, error.reason))
}

fn row_error(row: &[u8]) -> (String, String) {
    let header = header("sku,name,price,currency,tax_rate,quantity").unwrap();
    let error = header.parse_row(&record_of(row)).unwrap_err();
    (error.column, error.reason)
}

#[test]
fn columns_may_be_in_any_order_and_case() {
    let header = header("Quantity, NAME ,sku,currency,price,rejected_line, ,").unwrap();
    let row = header.parse_row(&record("3, Tee ,T-1,EUR,\"12,5\",17")).unwrap();
    assert_eq!((row.sku.as_str(), row.name.as_str(), row.quantity), ("T-1", "Tee", 3));
    assert_eq!((row.price.to_string(), row.tax), ("12.50 EUR".to_owned(), Tax::Unchanged));
}

#[test]
fn an_invalid_header_is_rejected() {
    for (text, why) in [
        ("T-1,Tea,12.50,EUR,19,5", "t-1: unknown column"),
        ("sku,name,price,currency,quantity,colour", "colour: unknown column"),
        ("sku,name,price,currency", "quantity: the column is missing"),
        ("sku,name,price,currency,quantity,SKU", "sku: the column occurs twice"),
        ("sku,\"na\"me,price,currency,quantity", "column 2: has text after its closing quotation mark"),
        ("sku,name,price,currency,\"quantity", "column 5: has a quotation mark that is not closed"),
    ] {
        let error = header(text).unwrap_err();
        assert!(error.starts_with(why), "{text}: {error}");
    }
    assert!(header(&"x".repeat(MAX_ROW_BYTES + 1)).unwrap_err().contains("first line"));
}

#[test]
fn all_errors_of_a_row_are_reported() {
    for (row, column, why) in [
        (b"T 1,Tea,1,EUR,19,5".as_slice(), "sku", "may contain only letters"),
        (b"T-1,T\0a,1,EUR,19,5", "name", "printable"),
        (b"T-1,Gr\xfcner Tee,1,EUR,19,5", "name", "UTF-8"),
        ("T-1,Gr\u{fffd}ner Tee,1,EUR,19,5".as_bytes(), "name", "lost"),
        (b"T-1,#NAME?,1,EUR,19,5", "name", "formula"),
        (b"T-1,Tea,-1,EUR,19,5", "price", "must be 0 to 999999.99 EUR"),
        (b"T-1,Tea,99999999999999999999,EUR,19,5", "price", "must be"),
        (b"T-1,Tea,1,Euro,19,5", "currency", "ISO 4217"),
        (b"T-1,Tea,1,EUR,101,5", "tax_rate", "percent"),
        (b"T-1,Tea,1,EUR,19,-5", "quantity", "must be a whole number from 0 to 1000000"),
        (b"T-1,Tea,1,EUR,19,4294967297", "quantity", "must be"),
        (b"T-1,Tea,1,EUR,19,5.0", "quantity", "whole"),
        (b"T-1,Tea,1,EUR,19", "quantity", "has 5 fields, the first line has 6"),
        (b"T-1,Tea,1,5,EUR,19,5,", "column 7", "has 7 fields"),
        (b"T-1,Tea,1.250,EUR,19,5", "price", "must be"),
        (b"T-1,Tea,\"1,250.00\",EUR,19,5", "price", "must be"),
        (b"T-1,Tea,1,EUR,19,1.000", "quantity", "whole"),
        (b"T-1,Tea,1,EUR,19%,5", "tax_rate", "percent"),
        (b"T-1,\"Tea \\\"Best\\\"\",1,EUR,19,5", "name", "after its closing quotation mark"),
        (b"T-1,Tea 19\",1,EUR,19,5", "name", "quotation mark inside"),
        (b"T-1,Tea,\"1,EUR,19,5", "price", "not closed"),
        (b"T-1,\"T\na\",1,EUR,19,5", "name", "check for an unclosed quotation mark"),
        (b",,1,EUR,19,x", "sku name quantity", "sku: must have 1 to 40 characters, has 0; name:"),
    ] {
        let found = row_error(row);
        assert!(found.0 == column && found.1.contains(why), "{}: {found:?}", String::from_utf8_lossy(row));
    }
    assert!(!Header::is_row(&record(", ,,,,")) && Header::is_row(&record(",,,,,1")));
}

#[test]
fn columns_without_a_name_must_be_empty() {
    let header = header("sku,name,,price,currency,quantity,,").unwrap();
    for row in ["T-1,Tea,,1,EUR,5", "T-1,Tea, ,1,EUR,5,,,,,"] {
        assert_eq!(header.parse_row(&record(row)).unwrap().quantity, 5, "{row}");
    }
    for (row, column) in [("T-1,Tea,x,1,EUR,5", "column 3"), ("T-1,Tea,,1,EUR,5,,x", "column 7")] {
        assert_eq!(header.parse_row(&record(row)).unwrap_err().column, column, "{row}");
    }
}

#[test]
fn apostrophes_before_formulas_are_removed_only_from_a_file_of_rejected_rows() {
    let columns = "sku,name,price,currency,quantity";
    for (prefix, row, name) in [
        ("", "T-1,'=1,1,EUR,5", "'=1"),
        ("rejected_line,", "2,T-1,'=1,1,EUR,5", "=1"),
        ("rejected_line,", "2,T-1,''=1,1,EUR,5", "'=1"),
        ("rejected_line,", "2,T-1,a;'＠b,1,EUR,5", "a;＠b"),
        ("rejected_line,", "2,T-1,'s,1,EUR,5", "'s"),
    ] {
        let header = header(&format!("{prefix}{columns}")).unwrap();
        assert_eq!(header.parse_row(&record(row)).unwrap().name.as_str(), name, "{row}");
    }
}

#[test]
fn a_row_that_has_moved_into_a_column_without_a_name_is_rejected() {
    let header = header("sku,currency,name,price,quantity,tax_rate,").unwrap();
    for row in ["T-1,EUR,Tea,1.50,5,19,", "T-1,EUR,Tea,1.50,5,19", "T-1,EUR,Tea,1.50,5,,"] {
        assert!(header.parse_row(&record(row)).is_ok(), "{row}");
    }
    let error = header.parse_row(&record("T-1,EUR,Tea1.50,5,19,")).unwrap_err();
    assert!(
        error.column == "tax_rate" && error.reason.contains("has 6 fields, the first line has 7"),
        "{error:?}"
    );
}
