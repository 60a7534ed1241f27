//! Files that are rejected, with the right reason and before they consume resources.

use std::time::{Duration, Instant};

use domain::product::RejectReason;
use image::ImageFormat;
use media::rendition::render;

use crate::support::{corpus, crc, file, jpeg, png, quarters};

#[track_caller]
fn rejection(name: &str, content: &[u8]) -> RejectReason {
    let start = Instant::now();
    let reason = render(content).map(|_| name).unwrap_err();
    // Generous for a busy machine: decoding a decompression bomb would take longer, and gigabytes.
    assert!(start.elapsed() < Duration::from_secs(5), "{name} took {:?}", start.elapsed());
    reason
}

#[test]
fn a_file_truncated_at_any_point_is_malformed() {
    let whole = [
        ("JPEG", jpeg(300, 200)),
        ("progressive JPEG", corpus("progressive.jpg")),
        ("CMYK JPEG", corpus("cmyk.jpg")),
        ("PNG", png(300, 200)),
        ("GIF", file(quarters(300, 200), ImageFormat::Gif)),
        ("WebP", file(quarters(300, 200), ImageFormat::WebP)),
    ];
    for (name, content) in whole {
        for part in 1..10 {
            let length = content.len() * part / 10;
            let reason = rejection(name, &content[..length.max(16)]);
            assert_eq!(reason, RejectReason::Malformed, "{name}, {length} of {} bytes", content.len());
        }
    }
}

#[test]
fn other_file_formats_are_rejected() {
    for (name, content) in [
        ("nothing", &b""[..]),
        ("HTML", b"<!doctype html><img src=x onerror=alert(1)>"),
        ("SVG", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"),
        ("PDF", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"),
        ("ZIP", b"PK\x03\x04\x14\0\0\0\0\0"),
        ("program", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0"),
        ("BMP", b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0"),
        ("TIFF", b"II*\0\x08\0\0\0\0\0\0\0"),
        ("RIFF that is no WebP", b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0"),
        ("ZIP with a JPEG in it", b"PK\x03\x04\x14\0\0\0\0\0\xff\xd8\xff\xe0\0\x10JFIF"),
    ] {
        assert_eq!(rejection(name, content), RejectReason::NotAnImage, "{name}");
    }
}

/// A valid PNG, except that its header claims a different size.
fn png_of(width: u32, height: u32) -> Vec<u8> {
    let mut content = png(8, 8);
    content[16..20].copy_from_slice(&width.to_be_bytes());
    content[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = crc(&content[12..29]);
    content[29..33].copy_from_slice(&crc);
    content
}

/// A valid JPEG, except that its header claims a different size.
fn jpeg_of(width: u16, height: u16) -> Vec<u8> {
    let mut content = jpeg(8, 8);
    let frame = content.windows(2).position(|marker| marker == [0xFF, 0xC0]).unwrap();
    content[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    content[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    content
}

#[test]
fn decompression_bombs_are_rejected_by_their_header() {
    let mut gif = file(quarters(8, 8), ImageFormat::Gif);
    gif[6..10].copy_from_slice(&[0x30, 0x75, 0x30, 0x75]);
    // A lossless WebP stores each side minus one in 14 bits, after signature and length: here 16,382 by
    // 16,382.
    let mut webp = file(quarters(8, 8), ImageFormat::WebP);
    assert_eq!((&webp[12..16], webp[20]), (&b"VP8L"[..], 0x2F));
    webp[21..25].copy_from_slice(&(0x3FFD_u32 | (0x3FFD << 14)).to_le_bytes());
    // An extended WebP has 24 bits: 30,000 minus one, with the frame of a different image.
    let mut extended = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x2f\x75\0\x2f\x75\0".to_vec();
    extended.extend_from_slice(&file(quarters(8, 8), ImageFormat::WebP)[12..]);
    let length = u32::try_from(extended.len() - 8).unwrap();
    extended[4..8].copy_from_slice(&length.to_le_bytes());
    for (name, content) in [
        ("PNG", png_of(30_000, 30_000)),
        ("long PNG", png_of(2_000_000_000, 1)),
        ("JPEG", jpeg_of(30_000, 30_000)),
        ("GIF", gif),
        ("WebP", webp),
    ] {
        assert_eq!(rejection(name, &content), RejectReason::TooManyPixels, "{name}");
    }
    // A decoder may first detect either the claimed size or that the frame does not match it.
    let reason = rejection("extended WebP", &extended);
    assert!([RejectReason::TooManyPixels, RejectReason::Malformed].contains(&reason), "{reason:?}");
}

/// The header claims an acceptable size, but the data is missing: the memory is allocated, then the file is
/// rejected.
#[test]
fn a_header_that_claims_more_data_than_present_is_malformed() {
    assert_eq!(rejection("PNG", &png_of(5000, 5000)), RejectReason::Malformed);
    let mut gif = file(quarters(8, 8), ImageFormat::Gif);
    let frame = gif.iter().rposition(|byte| *byte == 0x2C).unwrap();
    gif[frame + 5..frame + 9].copy_from_slice(&[0x88, 0x13, 0x88, 0x13]);
    assert!(matches!(rejection("GIF", &gif), RejectReason::Malformed | RejectReason::TooManyPixels));
}

/// A JPEG whose many small scans make the decoder process all pixels again and again.
#[test]
fn a_jpeg_with_too_many_scans_is_rejected() {
    let content = corpus("progressive.jpg");
    let start = content.windows(2).rposition(|marker| marker == [0xFF, 0xDA]).unwrap();
    let (head, end) = (&content[..start], content.len() - 2);
    let mut bomb = head.to_vec();
    for _ in 0..1000 {
        bomb.extend_from_slice(&content[start..end]);
    }
    bomb.extend_from_slice(&content[end..]);
    assert_eq!(rejection("scans", &bomb), RejectReason::Malformed);
}

/// With any single byte changed, a file may be rejected or accepted, but never causes a panic.
#[test]
fn a_damaged_file_never_causes_a_panic() {
    for content in
        [jpeg(24, 16), png(24, 16), corpus("animated.gif"), corpus("animated.webp"), corpus("cmyk.jpg")]
    {
        for at in (0..content.len()).step_by(3) {
            let mut damaged = content.clone();
            damaged[at] ^= 0x55;
            let _ = render(&damaged);
        }
    }
}
