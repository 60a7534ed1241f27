//! What a JPEG's markers say before anything is decoded (ITU-T T.81, Annex B).

use domain::product::RejectReason;

/// The most scans that a picture has. A progressive one has about ten. A few bytes of scan make a decoder go over all
/// pixels once more, so that a file of ten megabytes could keep it busy for hours.
const MOST_SCANS: u32 = 100;

const START: u8 = 0xD8;
const END: u8 = 0xD9;
const SCAN: u8 = 0xDA;

/// Refuses what ends before its end, which the decoder would fill up with grey, and what has too many scans.
pub(super) fn check(content: &[u8]) -> Result<(), RejectReason> {
    let mut rest = content;
    let mut scans = 0;
    loop {
        match next_marker(&mut rest).ok_or(RejectReason::Malformed)? {
            END if scans > 0 => return Ok(()),
            END => return Err(RejectReason::Malformed),
            // Restart markers, the start of the picture and TEM stand alone.
            START | 0xD0..=0xD7 | 0x01 => {}
            marker => {
                skip_segment(&mut rest).ok_or(RejectReason::Malformed)?;
                if marker == SCAN {
                    scans += 1;
                    if scans > MOST_SCANS {
                        return Err(RejectReason::Malformed);
                    }
                }
            }
        }
    }
}

/// The next marker. What is compressed, in front of it, has no `FF` but with `00` behind it.
fn next_marker(rest: &mut &[u8]) -> Option<u8> {
    loop {
        let at = rest.iter().position(|byte| *byte == 0xFF)?;
        *rest = rest.get(at + 1..)?;
        match rest.first()? {
            0x00 => {}
            // Fill bytes.
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
