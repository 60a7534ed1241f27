//! What a file is that was named `.csv`: told by its first bytes.

/// How many of a file's first bytes are looked at.
pub const LOOKED_AT: usize = 4096;

/// What a separator may be.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

/// First bytes that tell what a file is (<https://en.wikipedia.org/wiki/List_of_file_signatures>), and what to do.
const KINDS: [(&[u8], &str); 11] = [
    (b"\x1f\x8b", "a gzip archive: unpack it"),
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook: export it as \"CSV UTF-8\""),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook: export it as \"CSV UTF-8\""),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"RIFF", "a WebP image or a sound"),
    (b"%PDF", "a PDF document"),
    (b"BZh", "a bzip2 archive: unpack it"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive: unpack it"),
    (b"7z\xbc\xaf", "a 7-Zip archive: unpack it"),
];

const UTF_16: &str = "text in UTF-16: export it as \"CSV UTF-8\"";

/// Why these first bytes of a file are not those of a CSV in UTF-8.
///
/// # Errors
/// With what the file is instead, and what to do.
pub fn is_text(start: &[u8]) -> Result<(), String> {
    if start.is_empty() {
        return Err("the file is empty".to_owned());
    }
    if let Some((_, kind)) = KINDS.iter().find(|(bytes, _)| start.starts_with(bytes)) {
        return Err(format!("the file is {kind}"));
    }
    let marked = start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff");
    if marked || every_other_is_nul(start) {
        return Err(format!("the file is {UTF_16}"));
    }
    Ok(())
}

/// As Latin letters are in UTF-16, of either order, without a mark. A stray NUL here and there is a matter of its row.
fn every_other_is_nul(start: &[u8]) -> bool {
    let nuls = |from: usize| start.iter().skip(from).step_by(2).filter(|byte| **byte == 0).count();
    let most = start.len() / 4;
    start.len() >= 4 && (nuls(0) > most || nuls(1) > most)
}

/// The separator: the one that the first line has most of.
pub fn separator(start: &[u8]) -> u8 {
    let line =
        start.split(|byte| matches!(byte, b'\n' | b'\r')).find(|line| !line.is_empty()).unwrap_or_default();
    let count = |separator: u8| line.iter().filter(|byte| **byte == separator).count();
    // The last of those that are equally many is taken: the comma, where there is none at all.
    SEPARATORS.into_iter().rev().max_by_key(|separator| count(*separator)).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_csv_is_told_by_name() {
        let utf_16: Vec<u8> = "sku,name\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big_endian: Vec<u8> = "sku,name\r\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let marked = [b"\xff\xfe".as_slice(), &utf_16].concat();
        for (start, why) in [
            (b"".as_slice(), "empty"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"\x89PNG\r\n", "PNG"),
            (b"PK\x03\x04", "Excel"),
            (&utf_16, "UTF-16"),
            (&big_endian, "UTF-16"),
            (&marked, "UTF-16"),
        ] {
            assert!(is_text(start).unwrap_err().contains(why), "{start:?}");
        }
        for fine in [b"\xef\xbb\xbfsku,name".as_slice(), b"sku,name\nA,\0B", "sku;näme".as_bytes(), b"x"] {
            assert_eq!(is_text(fine), Ok(()));
        }
    }

    #[test]
    fn the_first_line_tells_the_separator() {
        for (start, wanted) in [
            (b"sku,name,price".as_slice(), b','),
            (b"sku;name;price\nA;\"b,c,d,e\";1,5", b';'),
            (b"\r\nsku\tname", b'\t'),
            (b"sku", b','),
            (b"", b','),
        ] {
            assert_eq!(separator(start), wanted, "{start:?}");
        }
    }
}
