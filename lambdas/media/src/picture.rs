//! From the bytes of a stranger to pictures that can be shown.
//!
//! The renditions are made of decoded pixels alone, so nothing that a file carries besides them gets through: no
//! metadata, no second file behind or inside the first.
//!
//! Memory is bounded by [`MOST_PIXELS`], whatever the file says of itself:
//!
//! | | bytes for each pixel |
//! |---|---|
//! | decoding PNG with 16 bits and transparency, and then 8 bits beside it | 8 + 4 |
//! | decoding progressive JPEG without subsampling: coefficients, and pixels | 6 + 3 (CMYK: 8 + 3) |
//! | decoding GIF or WebP: canvas, and frame | 4 + 4 |
//! | resizing with transparency: pixels, and the same premultiplied | 4 + 4 |
//!
//! 12 bytes × 50 million pixels are 600 MB. The file itself (twice), the renditions (a few 1600 × 1600 × 4) and the
//! function add less than 100 MB. `tests/memory.rs` measures it: 579 MB for the first.

mod animation;
mod colors;
mod decode;
mod encode;
mod jpeg;
mod resize;

use domain::product::{Original, RejectReason, RenditionFormat, RenditionSize};

/// The most pixels that a picture has: those of a phone's best camera (8160 × 6120). See the module's arithmetic for what
/// they take.
pub const MOST_PIXELS: u64 = 50_000_000;

/// A picture, made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// What it was made of.
    pub original: Original,
    /// Each size in each format.
    pub files: Vec<RenderedFile>,
}

/// One rendition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedFile {
    /// What it is for.
    pub size: RenditionSize,
    /// What it is.
    pub format: RenditionFormat,
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// The file.
    pub content: Vec<u8>,
}

/// Reads a picture and makes it anew in all sizes. It may take seconds, and must not run where others wait.
///
/// # Errors
/// Why it is not taken.
pub fn render(content: &[u8]) -> Result<Rendered, RejectReason> {
    let decoded = decode::decode(content)?;
    let mut files = Vec::new();
    let mut pixels = decoded.pixels;
    for size in RenditionSize::ALL {
        pixels = resize::fit(pixels, size.max_side())?;
        if size == RenditionSize::Full {
            // The large picture is gone by now: turning it and converting its colours take no memory to speak of.
            pixels.apply_orientation(decoded.orientation);
            colors::convert(&mut pixels, decoded.profile.as_ref());
        }
        for format in [RenditionFormat::Webp, RenditionFormat::Jpeg] {
            let content = encode::encode(&pixels, format)?;
            files.push(RenderedFile {
                size,
                format,
                width: pixels.width(),
                height: pixels.height(),
                content,
            });
        }
    }
    Ok(Rendered { original: decoded.original, files })
}
