//! The markers of a JPEG (ITU-T T.81, Annex B), which are checked before it is decoded.

use domain::product::RejectReason;

/// The maximum number of scans. A progressive image has about ten. A scan of a few bytes makes the decoder
/// process all pixels again, so a file of ten megabytes could keep it busy for hours.
const MAX_SCANS: u32 = 100;

/// Start of image.
const SOI: u8 = 0xD8;
/// End of image.
const EOI: u8 = 0xD9;
/// Start of scan.
const SOS: u8 = 0xDA;

/// Rejects truncated files, whose missing part the decoder would fill with grey, and files with too many
/// scans.
pub(super) fn check(content: &[u8]) -> Result<(), RejectReason> {
    let mut rest = content;
    let mut scans = 0;
    loop {
        match next_marker(&mut rest).ok_or(RejectReason::Malformed)? {
            EOI if scans > 0 => return Ok(()),
            EOI => return Err(RejectReason::Malformed),
            // Restart markers, SOI and TEM have no segment.
            SOI | 0xD0..=0xD7 | 0x01 => {}
            marker => {
                skip_segment(&mut rest).ok_or(RejectReason::Malformed)?;
                if marker == SOS {
                    scans += 1;
                    if scans > MAX_SCANS {
                        return Err(RejectReason::Malformed);
                    }
                }
            }
        }
    }
}

/// Returns the content of the segments with this marker before the image data.
pub(super) fn segments(content: &[u8], wanted: u8) -> Vec<&[u8]> {
    let mut rest = content;
    let next = || {
        loop {
            match next_marker(&mut rest)? {
                SOS | EOI => return None,
                SOI | 0xD0..=0xD7 | 0x01 => {}
                marker => {
                    let segment = rest;
                    skip_segment(&mut rest)?;
                    let length = segment.len().saturating_sub(rest.len());
                    return Some((marker, segment.get(2..length).unwrap_or_default()));
                }
            }
        }
    };
    std::iter::from_fn(next).filter(|(marker, _)| *marker == wanted).map(|(_, segment)| segment).collect()
}

/// Returns the next marker. In the compressed data before it, each `FF` is followed by `00`.
fn next_marker(rest: &mut &[u8]) -> Option<u8> {
    loop {
        let at = rest.iter().position(|byte| *byte == 0xFF)?;
        *rest = rest.get(at + 1..)?;
        match rest.first()? {
            0x00 => {}
            // A fill byte before the marker.
            0xFF => {}
            marker => {
                let marker = *marker;
                *rest = rest.get(1..)?;
                return Some(marker);
            }
        }
    }
}

fn skip_segment(rest: &mut &[u8]) -> Option<()> {
    let (length, _) = rest.split_first_chunk::<2>()?;
    *rest = rest.get(usize::from(u16::from_be_bytes(*length))..)?;
    Some(())
}
