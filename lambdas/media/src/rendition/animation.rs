//! Detection of animated GIFs.

/// Returns whether a GIF has a second frame, from its block structure alone
/// (<https://www.w3.org/Graphics/GIF/spec-gif89a.txt>). A file that ends or is damaged before that is not
/// animated.
pub(super) fn is_animated_gif(content: &[u8]) -> bool {
    find_second_frame(content).is_some()
}

fn find_second_frame(content: &[u8]) -> Option<()> {
    // The header and the logical screen descriptor have 13 bytes; the flags at offset 10 include the global
    // color table.
    let flags = *content.get(10)?;
    let mut rest = content.get(13 + color_table_bytes(flags)..)?;
    let mut frames = 0;
    loop {
        match *rest.first()? {
            0x2C => {
                frames += 1;
                if frames == 2 {
                    return Some(());
                }
                // Skips the image descriptor, its local color table, and the LZW minimum code size.
                let flags = *rest.get(9)?;
                rest = rest.get(11 + color_table_bytes(flags)..)?;
            }
            0x21 => rest = rest.get(2..)?,
            _ => return None,
        }
        rest = skip_sub_blocks(rest)?;
    }
}

/// Returns the size of the color table that `flags` describe.
fn color_table_bytes(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 0x07) + 1) }
}

fn skip_sub_blocks(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let length = usize::from(*rest.first()?);
        rest = rest.get(1 + length..)?;
        if length == 0 {
            return Some(rest);
        }
    }
}
