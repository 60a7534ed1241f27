//! Rendering of images from untrusted files.
//!
//! The renditions are encoded from decoded pixels alone, so that nothing else in the file gets through: no
//! metadata, and no second file after or inside the first.
//!
//! Memory use is bounded by [`MAX_PIXELS`], whatever the header of the file claims:
//!
//! | operation | bytes per pixel |
//! |---|---|
//! | decoding PNG with 16 bits and alpha, and the conversion to 8 bits | 8 + 4 |
//! | decoding progressive JPEG without subsampling: coefficients and pixels | 6 + 3 (CMYK: 8 + 3) |
//! | decoding GIF or WebP: canvas and frame | 4 + 4 |
//! | resizing with alpha: pixels and premultiplied pixels | 4 + 4 |
//!
//! 12 bytes × 50 million pixels are 600 MB. The file itself (twice), the renditions (a few 1600 × 1600 × 4)
//! and the function add less than 100 MB. `tests/memory.rs` measures 579 MB for the first case.

mod animation;
mod colors;
mod decode;
mod encode;
mod exif;
mod jpeg;
mod resize;

use async_trait::async_trait;
use bytes::Bytes;
use domain::product::{Original, RejectReason, RenditionFormat, RenditionSize};

/// The maximum number of pixels of an image: the resolution of a high-end phone camera (8160 × 6120). The
/// documentation of the module calculates the memory that they need.
pub const MAX_PIXELS: u64 = 50_000_000;

/// A rendered image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The properties of the uploaded file.
    pub original: Original,
    /// One rendition for each size and format.
    pub files: Vec<RenderedFile>,
}

/// A rendition as a file.
#[expect(missing_docs, reason = "the fields say it")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedFile {
    pub size: RenditionSize,
    pub format: RenditionFormat,
    /// The width in pixels.
    pub width: u32,
    /// The height in pixels.
    pub height: u32,
    pub content: Vec<u8>,
}

/// Renders images without blocking its caller.
#[async_trait]
pub trait Renderer: Send + Sync {
    /// Renders an image, or returns the reason why the file is rejected. An error says nothing about the file.
    async fn render(&self, content: Bytes) -> anyhow::Result<Result<Rendered, RejectReason>>;
}

/// Decodes an image and encodes it in all sizes and formats. This can take seconds, so it must not run on a
/// thread of the async runtime.
///
/// # Errors
/// The reason why the file is rejected.
pub fn render(content: &[u8]) -> Result<Rendered, RejectReason> {
    let decoded = decode::decode(content)?;
    let mut files = Vec::new();
    let mut pixels = decoded.pixels;
    for size in RenditionSize::ALL {
        pixels = resize::fit(pixels, size.max_side())?;
        if size == RenditionSize::Full {
            // The large original has been freed by now, so rotation and colour conversion need little memory.
            pixels.apply_orientation(decoded.orientation);
            colors::convert_to_srgb(&mut pixels, decoded.profile.as_ref());
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
