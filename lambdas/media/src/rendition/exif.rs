//! The orientation in the Exif metadata of a file (CIPA DC-008).
//!
//! The decoders find it only where the standards put it. Writers differ: libvips starts the metadata of WebP
//! with the `Exif\0\0` that belongs to JPEG, others leave it out of JPEG, pad it, or write the orientation as
//! another type than SHORT. A picture that is shown upright everywhere else has to be upright in the shop.

use domain::product::OriginalFormat;
use image::metadata::Orientation;

use super::jpeg;

/// The marker of the JPEG segments with metadata.
const APP1: u8 = 0xE1;
/// The maximum number of bytes before the TIFF header: `Exif\0\0`, possibly twice, and padding.
const MAX_PREFIX_BYTES: usize = 16;
/// The tag of the orientation (TIFF 6.0, section 8).
const ORIENTATION: u16 = 0x0112;
/// The size of an entry of an image file directory in bytes.
const ENTRY_BYTES: usize = 12;

/// Returns the orientation of an image, or that of an image without any if the metadata is missing or invalid.
pub(super) fn orientation(content: &[u8], format: OriginalFormat) -> Orientation {
    let mut found = match format {
        OriginalFormat::Jpeg => jpeg::segments(content, APP1),
        OriginalFormat::Png => png_chunks(content),
        OriginalFormat::Webp => webp_chunks(content),
        OriginalFormat::Gif => Vec::new(),
    }
    .into_iter()
    .filter_map(tiff_orientation);
    found.next().unwrap_or(Orientation::NoTransforms)
}

/// The Exif chunks of a PNG, which may also be after the image data (PNG, third edition, 11.3.4.5).
fn png_chunks(content: &[u8]) -> Vec<&[u8]> {
    fn next<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8; 4], &'a [u8])> {
        let (length, after) = rest.split_first_chunk()?;
        let (name, after) = after.split_first_chunk()?;
        let (data, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        // The checksum.
        *rest = after.get(4..)?;
        Some((name, data))
    }
    let mut rest = content.get(8..).unwrap_or_default();
    std::iter::from_fn(|| next(&mut rest))
        .filter(|(name, _)| *name == b"eXIf")
        .map(|(_, data)| data)
        .collect()
}

/// The Exif chunks of a WebP (RFC 9649, 2.7.1.5).
fn webp_chunks(content: &[u8]) -> Vec<&[u8]> {
    fn next<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8; 4], &'a [u8])> {
        let (name, after) = rest.split_first_chunk()?;
        let (length, after) = after.split_first_chunk()?;
        let (data, after) = after.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        // A byte of padding makes the length even; the last one may be missing.
        *rest = after.get(data.len() % 2..).unwrap_or_default();
        Some((name, data))
    }
    let mut rest = content.get(12..).unwrap_or_default();
    std::iter::from_fn(|| next(&mut rest))
        .filter(|(name, _)| *name == b"EXIF")
        .map(|(_, data)| data)
        .collect()
}

/// Parses the first directory of the metadata. The orientation may be of any integer type: a reader should
/// accept BYTE, SHORT and LONG for any integer (TIFF 6.0, section 2).
fn tiff_orientation(metadata: &[u8]) -> Option<Orientation> {
    let is_header = |bytes: &[u8]| bytes == b"II*\0" || bytes == b"MM\0*";
    let start = metadata.windows(4).take(MAX_PREFIX_BYTES.saturating_add(1)).position(is_header)?;
    let tiff = metadata.get(start..)?;
    let is_little_endian = tiff.starts_with(b"II");
    let u16_at = |bytes: &[u8], at: usize| {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(if is_little_endian { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let u32_at = |bytes: &[u8], at: usize| {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(if is_little_endian { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    let directory = tiff.get(usize::try_from(u32_at(tiff, 4)?).ok()?..)?;
    let count = usize::from(u16_at(directory, 0)?);
    directory.get(2..)?.chunks_exact(ENTRY_BYTES).take(count).find_map(|entry| {
        let is_one_value = u32_at(entry, 4)? == 1;
        if u16_at(entry, 0)? != ORIENTATION || !is_one_value {
            return None;
        }
        let value = match u16_at(entry, 2)? {
            // BYTE and SBYTE.
            1 | 6 => u32::from(*entry.get(8)?),
            // SHORT and SSHORT.
            3 | 8 => u32::from(u16_at(entry, 8)?),
            // LONG and SLONG.
            4 | 9 => u32_at(entry, 8)?,
            _ => return None,
        };
        Orientation::from_exif(u8::try_from(value).ok()?)
    })
}
