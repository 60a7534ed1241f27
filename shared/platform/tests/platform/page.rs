//! Pagination parameters and cursors.

use platform::http::FieldError;
use platform::http::input::{MAX_PAGE_SIZE, PageInput, encode_cursor};

fn read(limit: Option<&str>, cursor: Option<&str>) -> Result<PageInput<u64>, Vec<FieldError>> {
    PageInput::parse(limit, cursor)
}

#[test]
fn a_cursor_contains_the_start_of_the_next_page() {
    assert_eq!(read(None, None).unwrap(), PageInput { limit: 20, after: None });
    let second = read(Some("100"), Some(&encode_cursor(&42))).unwrap();
    assert_eq!(second, PageInput { limit: MAX_PAGE_SIZE, after: Some(42) });
}

#[test]
fn every_invalid_parameter_is_reported() {
    for limit in ["0", "101", "-1", "ten", "", "4294967297"] {
        assert_eq!(read(Some(limit), None).unwrap_err().len(), 1, "{limit}");
    }
    // Not Base64, not UTF-8, not a number, and empty.
    for cursor in ["?", "gA", "YWRh", ""] {
        assert_eq!(read(None, Some(cursor)).unwrap_err().len(), 1, "{cursor}");
    }
    assert_eq!(read(Some("0"), Some("?")).unwrap_err().len(), 2);
}
