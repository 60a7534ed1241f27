//! Pages and their cursors.

use platform::http::FieldError;
use platform::http::input::{MAX_PAGE_SIZE, PageInput, encode_cursor};

fn read(limit: Option<&str>, cursor: Option<&str>) -> Result<PageInput<u64>, Vec<FieldError>> {
    PageInput::parse(limit, cursor)
}

#[test]
fn a_cursor_says_where_the_next_page_starts() {
    assert_eq!(read(None, None).unwrap(), PageInput { limit: 20, after: None });
    let second = read(Some("100"), Some(&encode_cursor(&42))).unwrap();
    assert_eq!(second, PageInput { limit: MAX_PAGE_SIZE, after: Some(42) });
}

#[test]
fn all_that_is_wrong_is_told() {
    for limit in ["0", "101", "-1", "ten", "", "4294967297"] {
        assert_eq!(read(Some(limit), None).unwrap_err().len(), 1, "{limit}");
    }
    // No base64, no UTF-8, no number.
    for cursor in ["?", "gA", "YWRh", ""] {
        assert_eq!(read(None, Some(cursor)).unwrap_err().len(), 1, "{cursor}");
    }
    assert_eq!(read(Some("0"), Some("?")).unwrap_err().len(), 2);
}
