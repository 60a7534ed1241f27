//! Whether a GIF moves.

/// Whether there is a second frame, by the blocks alone (<https://www.w3.org/Graphics/GIF/spec-gif89a.txt>). A file that
/// ends or breaks before that has none.
pub(super) fn gif_moves(content: &[u8]) -> bool {
    second_frame(content).is_some()
}

fn second_frame(content: &[u8]) -> Option<()> {
    // Signature and screen descriptor have 13 bytes; the tenth of the latter's bytes tells of a table of colours.
    let flags = *content.get(10)?;
    let mut rest = content.get(13 + colors(flags)..)?;
    let mut frames = 0;
    loop {
        match *rest.first()? {
            0x2C => {
                frames += 1;
                if frames == 2 {
                    return Some(());
                }
                // The descriptor, its table of colours, and the size of the codes.
                let flags = *rest.get(9)?;
                rest = rest.get(11 + colors(flags)..)?;
            }
            0x21 => rest = rest.get(2..)?,
            _ => return None,
        }
        rest = behind_blocks(rest)?;
    }
}

/// How long the table of colours is that `flags` tell of.
fn colors(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 0x07) + 1) }
}

fn behind_blocks(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let length = usize::from(*rest.first()?);
        rest = rest.get(1 + length..)?;
        if length == 0 {
            return Some(rest);
        }
    }
}
