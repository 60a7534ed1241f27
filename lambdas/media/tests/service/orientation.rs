//! The orientation in Exif metadata, in all the ways in which writers store it.

use image::ImageFormat;
use media::rendition::{Rendered, render};

use crate::support::{BLUE, GREEN, RED, WHITE, assert_shows, corpus, crc, file, jpeg, png, quarters};

const PREFIX: &[u8] = b"Exif\0\0";
const SHORT: u16 = 3;
const LONG: u16 = 4;

/// Exif metadata with one entry: the orientation, as a value of this type.
fn tiff(kind: u16, count: u32, value: &[u8]) -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01".to_vec();
    tiff.extend_from_slice(&kind.to_le_bytes());
    tiff.extend_from_slice(&count.to_le_bytes());
    tiff.extend_from_slice(value);
    tiff.resize(22, 0);
    tiff.extend_from_slice(&[0; 4]);
    tiff
}

fn big_endian(orientation: u8) -> Vec<u8> {
    let mut tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    tiff.extend_from_slice(&[orientation, 0, 0, 0, 0, 0, 0]);
    tiff
}

fn short(orientation: u16) -> Vec<u8> {
    tiff(SHORT, 1, &orientation.to_le_bytes())
}

/// A JPEG with these APP1 segments.
fn jpeg_with(segments: &[&[u8]]) -> Vec<u8> {
    let mut content = jpeg(64, 48);
    for segment in segments.iter().rev() {
        let length = u16::try_from(segment.len() + 2).unwrap().to_be_bytes();
        content.splice(2..2, [&[0xFF, 0xE1], length.as_slice(), segment].concat());
    }
    content
}

/// A PNG with an eXIf chunk, after its header or before its end.
fn png_with(metadata: &[u8], is_at_end: bool) -> Vec<u8> {
    let mut content = png(64, 48);
    let named = [b"eXIf", metadata].concat();
    let length = u32::try_from(metadata.len()).unwrap().to_be_bytes();
    let chunk = [length.as_slice(), &named, &crc(&named)].concat();
    let at = if is_at_end { content.len() - 12 } else { 33 };
    content.splice(at..at, chunk);
    content
}

/// An extended WebP with an EXIF chunk at its end.
fn webp_with(metadata: &[u8], is_padded: bool) -> Vec<u8> {
    let mut content = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x08\0\0\0\x3f\0\0\x2f\0\0".to_vec();
    content.extend_from_slice(&file(quarters(64, 48), ImageFormat::WebP)[12..]);
    content.extend_from_slice(b"EXIF");
    content.extend_from_slice(&u32::try_from(metadata.len()).unwrap().to_le_bytes());
    content.extend_from_slice(metadata);
    if is_padded && metadata.len() % 2 == 1 {
        content.push(0);
    }
    let length = u32::try_from(content.len() - 8).unwrap();
    content[4..8].copy_from_slice(&length.to_le_bytes());
    content
}

#[track_caller]
fn assert_upright(rendered: &Rendered, name: &str) {
    assert_eq!(rendered.original.orientation, 6, "{name}");
    assert_shows(rendered, [BLUE, RED, WHITE, GREEN], 16);
}

#[test]
fn the_orientation_is_found_wherever_writers_put_it() {
    let upright = short(6);
    let prefixed = [PREFIX, &upright].concat();
    let odd = [upright.as_slice(), b"!"].concat();
    let xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>";
    for (name, content) in [
        ("JPEG", jpeg_with(&[&prefixed])),
        ("JPEG, big-endian", jpeg_with(&[&[PREFIX, &big_endian(6)].concat()])),
        ("JPEG without the prefix", jpeg_with(&[&upright])),
        ("JPEG, one zero in the prefix", jpeg_with(&[&[b"Exif\0", upright.as_slice()].concat()])),
        ("JPEG, padding of FF", jpeg_with(&[&[b"Exif\0\xff", upright.as_slice()].concat()])),
        ("JPEG, more padding", jpeg_with(&[&[b"Exif\0\0\0\0", upright.as_slice()].concat()])),
        ("JPEG, prefix twice", jpeg_with(&[&[PREFIX, &prefixed].concat()])),
        ("JPEG, after XMP", jpeg_with(&[xmp, &prefixed])),
        ("JPEG, before XMP", jpeg_with(&[&prefixed, xmp])),
        ("JPEG, after invalid metadata", jpeg_with(&[PREFIX, &prefixed])),
        ("PNG", png_with(&upright, false)),
        ("PNG with the prefix", png_with(&prefixed, false)),
        ("PNG, after the image data", png_with(&upright, true)),
        ("WebP", webp_with(&upright, true)),
        ("WebP with the prefix", webp_with(&prefixed, true)),
        ("WebP, big-endian, with the prefix", webp_with(&[PREFIX, &big_endian(6)].concat(), true)),
        ("WebP, odd length", webp_with(&odd, true)),
        ("WebP, odd length without padding", webp_with(&odd, false)),
    ] {
        assert_upright(&render(&content).unwrap_or_else(|reason| panic!("{name}: {reason:?}")), name);
    }
    for name in ["orientation-sharp.webp", "orientation-sharp.png", "orientation-sharp.jpg"] {
        assert_upright(&render(&corpus(name)).unwrap(), name);
    }
}

#[test]
fn the_orientation_may_be_of_any_integer_type() {
    for (kind, value) in [(1, &[6][..]), (SHORT, &[6, 0]), (LONG, &[6, 0, 0, 0]), (9, &[6, 0, 0, 0])] {
        let rendered = render(&webp_with(&tiff(kind, 1, value), true)).unwrap();
        assert_upright(&rendered, &format!("type {kind}"));
    }
}

#[test]
fn an_invalid_orientation_changes_nothing() {
    let mut truncated = short(6);
    truncated.truncate(20);
    let mut elsewhere = short(6);
    elsewhere[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut many = short(0);
    many[8..10].copy_from_slice(&u16::MAX.to_le_bytes());
    for (name, metadata) in [
        ("0", short(0)),
        ("9", short(9)),
        ("262, which is 6 in its lower byte", short(262)),
        ("65535", short(u16::MAX)),
        ("LONG above SHORT", tiff(LONG, 1, &[6, 0, 1, 0])),
        ("text", tiff(2, 1, b"6\0")),
        ("fraction", tiff(5, 1, &[6, 0, 0, 0])),
        ("two values", tiff(SHORT, 2, &[6, 0, 6, 0])),
        ("no value", tiff(SHORT, 0, &[6, 0])),
        ("truncated", truncated),
        ("directory outside", elsewhere),
        ("more entries than there are", many),
        ("no metadata", Vec::new()),
        ("only the prefix", PREFIX.to_vec()),
        ("other text", vec![b'x'; 1000]),
    ] {
        let contents = [
            jpeg_with(&[&[PREFIX, &metadata].concat()]),
            png_with(&metadata, false),
            webp_with(&metadata, true),
        ];
        for content in contents {
            let rendered = render(&content).unwrap_or_else(|reason| panic!("{name}: {reason:?}"));
            assert_eq!(rendered.original.orientation, 1, "{name}");
            assert_shows(&rendered, [RED, GREEN, BLUE, WHITE], 14);
        }
    }
}
