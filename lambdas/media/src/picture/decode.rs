//! What a file is and holds.

use std::io::Cursor;

use domain::product::{Original, OriginalFormat, RejectReason};
use image::codecs::gif::GifDecoder;
use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageResult, Limits};

use super::colors::{self, Profile};
use super::{MOST_PIXELS, animation, jpeg};

/// A picture in memory.
pub(super) struct Decoded {
    pub(super) original: Original,
    /// With eight bits a channel, with transparency if it has any; as it is stored, not yet turned.
    pub(super) pixels: DynamicImage,
    pub(super) orientation: Orientation,
    /// What its colours mean, where that can be used.
    pub(super) profile: Option<Profile>,
}

/// The most that a decoder may ask for at once: the widest pixels that there are.
const MOST_BYTES_IN_MEMORY: u64 = MOST_PIXELS * 8 + 64 * 1024 * 1024;

fn limits() -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MOST_BYTES_IN_MEMORY);
    limits
}

/// Only the content counts: what the client called it does not get here.
pub(super) fn decode(content: &[u8]) -> Result<Decoded, RejectReason> {
    let reader = Cursor::new(content);
    match image::guess_format(content).map_err(|_| RejectReason::NotAnImage)? {
        ImageFormat::Jpeg => {
            jpeg::check(content)?;
            read(content, OriginalFormat::Jpeg, JpegDecoder::new(reader), |_| false)
        }
        ImageFormat::Png => {
            let decoder = PngDecoder::with_limits(reader, limits());
            read(content, OriginalFormat::Png, decoder, |png| png.is_apng().unwrap_or(false))
        }
        ImageFormat::Gif => {
            read(content, OriginalFormat::Gif, GifDecoder::new(reader), |_| animation::gif_moves(content))
        }
        ImageFormat::WebP => {
            read(content, OriginalFormat::Webp, WebPDecoder::new(reader), WebPDecoder::has_animation)
        }
        _ => Err(RejectReason::NotAnImage),
    }
}

fn read<D: ImageDecoder>(
    content: &[u8],
    format: OriginalFormat,
    decoder: ImageResult<D>,
    moves: impl Fn(&D) -> bool,
) -> Result<Decoded, RejectReason> {
    let mut decoder = decoder.map_err(why)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(RejectReason::TooManyPixels);
    }
    decoder.set_limits(limits()).map_err(why)?;
    // What is wrong with the metadata is no reason to refuse the picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let (profile, colors) = colors::profile(decoder.icc_profile().ok().flatten().as_deref());
    let animated = moves(&decoder);
    let pixels = DynamicImage::from_decoder(decoder).map_err(why)?;
    let pixels = match pixels.color().has_alpha() {
        true => DynamicImage::ImageRgba8(pixels.into_rgba8()),
        false => DynamicImage::ImageRgb8(pixels.into_rgb8()),
    };
    let original = Original {
        format,
        bytes: u64::try_from(content.len()).unwrap_or(u64::MAX),
        width,
        height,
        orientation: orientation.to_exif(),
        animated,
        colors,
    };
    Ok(Decoded { original, pixels, orientation, profile })
}

fn why(error: ImageError) -> RejectReason {
    match error {
        ImageError::Limits(_) => RejectReason::TooManyPixels,
        _ => RejectReason::Malformed,
    }
}
