//! Detects the type of a file by its first bytes.

/// The number of bytes that are inspected.
pub const SNIFF_BYTES: usize = 4096;

/// The byte order mark of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// The supported separators.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

/// The signatures of file types (<https://en.wikipedia.org/wiki/List_of_file_signatures>), with advice on
/// what to do.
const SIGNATURES: [(&[u8], &str); 11] = [
    (b"\x1f\x8b", "a gzip archive: extract it"),
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook: export it as \"CSV UTF-8\""),
    (b"\xd0\xcf\x11\xe0", "a legacy Excel workbook: export it as \"CSV UTF-8\""),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"RIFF", "a WebP image or an audio file"),
    (b"%PDF", "a PDF document"),
    (b"BZh", "a bzip2 archive: extract it"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive: extract it"),
    (b"7z\xbc\xaf", "a 7-Zip archive: extract it"),
];

const UTF_16: &str = "text in UTF-16: export it as \"CSV UTF-8\"";

/// Checks that the first bytes of a file can be those of a CSV file in UTF-8.
///
/// # Errors
/// Says what the file is instead, and what to do.
pub fn check_is_text(start: &[u8]) -> Result<(), String> {
    if start.is_empty() {
        return Err("the file is empty".to_owned());
    }
    if let Some((_, kind)) = SIGNATURES.iter().find(|(bytes, _)| start.starts_with(bytes)) {
        return Err(format!("the file is {kind}"));
    }
    let has_bom = start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff");
    if has_bom || every_other_is_nul(start) {
        return Err(format!("the file is {UTF_16}"));
    }
    Ok(())
}

/// Detects Latin text in UTF-16 of either byte order without a byte order mark. Occasional NUL bytes are left
/// to the validation of their rows.
fn every_other_is_nul(start: &[u8]) -> bool {
    let nuls = |from: usize| start.iter().skip(from).step_by(2).filter(|byte| **byte == 0).count();
    let threshold = start.len() / 4;
    start.len() >= 4 && (nuls(0) > threshold || nuls(1) > threshold)
}

/// Detects the separator, and returns it with the number of bytes before the header: those of byte order
/// marks, and of a line such as `sep=;`, which Excel understands. Without such a line, it is the separator that
/// occurs most often in the first line.
///
/// # Errors
/// When the first line sets another separator.
pub fn detect_separator(start: &[u8]) -> Result<(u8, usize), String> {
    let mut text = start;
    // Programs that do not know the mark keep it as text, and write another one before it.
    while let Some(rest) = text.strip_prefix(BYTE_ORDER_MARK) {
        text = rest;
    }
    let bom_len = start.len().saturating_sub(text.len());
    let line =
        text.split(|byte| matches!(byte, b'\n' | b'\r')).find(|line| !line.is_empty()).unwrap_or_default();
    if let Some((separator, len)) = set_separator(text) {
        return match SEPARATORS.contains(&separator) {
            true => Ok((separator, bom_len.saturating_add(len))),
            false => Err(format!(
                "the first line sets the separator to {:?}: it must be a comma, a semicolon or a tab",
                char::from(separator)
            )),
        };
    }
    let count = |separator: u8| line.iter().filter(|byte| **byte == separator).count();
    // `max_by_key` returns the last maximum, which is the comma if there is no separator at all.
    let separator = SEPARATORS.into_iter().rev().max_by_key(|separator| count(*separator)).unwrap_or(b',');
    Ok((separator, bom_len))
}

/// Parses a first line such as `sep=;`, possibly enclosed in quotation marks. Returns the separator and the
/// length of the line, without its terminator.
fn set_separator(text: &[u8]) -> Option<(u8, usize)> {
    let line = text.split(|byte| matches!(byte, b'\n' | b'\r')).next()?;
    let (name, rest) = line.strip_prefix(b"\"").unwrap_or(line).split_first_chunk::<4>()?;
    let (separator, rest) = rest.split_first()?;
    // A program that does not know the line adds separators for the other columns.
    let is_padding = |byte: &u8| *byte == *separator || matches!(byte, b' ' | b'"');
    (name.eq_ignore_ascii_case(b"sep=") && rest.iter().all(is_padding)).then_some((*separator, line.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_file_types_are_named() {
        let utf_16: Vec<u8> = "sku,name\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big_endian: Vec<u8> = "sku,name\r\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let with_bom = [b"\xff\xfe".as_slice(), &utf_16].concat();
        for (start, expected) in [
            (b"".as_slice(), "empty"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"\x89PNG\r\n", "PNG"),
            (b"PK\x03\x04", "Excel"),
            (&utf_16, "UTF-16"),
            (&big_endian, "UTF-16"),
            (&with_bom, "UTF-16"),
        ] {
            assert!(check_is_text(start).unwrap_err().contains(expected), "{start:?}");
        }
        for valid in [b"\xef\xbb\xbfsku,name".as_slice(), b"sku,name\nA,\0B", "sku;näme".as_bytes(), b"x"] {
            assert_eq!(check_is_text(valid), Ok(()));
        }
    }

    #[test]
    fn the_separator_is_detected_in_the_first_line() {
        for (start, expected) in [
            (b"sku,name,price".as_slice(), (b',', 0)),
            (b"sku;name;price\nA;\"b,c,d,e\";1,5", (b';', 0)),
            (b"\r\nsku\tname", (b'\t', 0)),
            (b"\xef\xbb\xbfsku\tname", (b'\t', 3)),
            (b"\xef\xbb\xbf\xef\xbb\xbfsku\tname", (b'\t', 6)),
            (b"sku", (b',', 0)),
            (b"", (b',', 0)),
            (b"sep=;\r\nsku,name;price", (b';', 5)),
            (b"\xef\xbb\xbfSEP=\t\nsku,name,price", (b'\t', 8)),
            (b"\"sep=,\",,\nsku;name", (b',', 9)),
            (b"sep=;sku;name", (b';', 0)),
        ] {
            assert_eq!(detect_separator(start), Ok(expected), "{start:?}");
        }
        assert!(detect_separator(b"sep=|\nsku|name").unwrap_err().contains("'|'"));
    }
}
