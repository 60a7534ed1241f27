//! Format detection and decoding.

use std::io::Cursor;

use domain::product::{Original, OriginalFormat, RejectReason};
use image::codecs::gif::GifDecoder;
use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageResult, Limits};

use super::colors::{self, Profile};
use super::{MAX_PIXELS, animation, exif, jpeg};

/// A decoded image.
pub(super) struct Decoded {
    pub(super) original: Original,
    /// The pixels with eight bits per channel, and with alpha if the file has it, before the orientation is
    /// applied.
    pub(super) pixels: DynamicImage,
    pub(super) orientation: Orientation,
    /// The colour profile, if it is usable.
    pub(super) profile: Option<Profile>,
}

/// The maximum allocation of a decoder: the widest pixel format of 8 bytes, with some margin.
const MAX_ALLOCATION: u64 = MAX_PIXELS * 8 + 64 * 1024 * 1024;

fn limits() -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_ALLOCATION);
    limits
}

/// Decodes a file, whose format is detected from its content.
pub(super) fn decode(content: &[u8]) -> Result<Decoded, RejectReason> {
    let reader = Cursor::new(content);
    match image::guess_format(content).map_err(|_| RejectReason::NotAnImage)? {
        ImageFormat::Jpeg => {
            jpeg::check(content)?;
            decode_with(content, OriginalFormat::Jpeg, JpegDecoder::new(reader), |_| false)
        }
        ImageFormat::Png => {
            let decoder = PngDecoder::with_limits(reader, limits());
            decode_with(content, OriginalFormat::Png, decoder, |png| png.is_apng().unwrap_or(false))
        }
        ImageFormat::Gif => decode_with(content, OriginalFormat::Gif, GifDecoder::new(reader), |_| {
            animation::is_animated_gif(content)
        }),
        ImageFormat::WebP => {
            decode_with(content, OriginalFormat::Webp, WebPDecoder::new(reader), WebPDecoder::has_animation)
        }
        _ => Err(RejectReason::NotAnImage),
    }
}

fn decode_with<D: ImageDecoder>(
    content: &[u8],
    format: OriginalFormat,
    decoder: ImageResult<D>,
    is_animated: impl Fn(&D) -> bool,
) -> Result<Decoded, RejectReason> {
    let mut decoder = decoder.map_err(reject_reason)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(RejectReason::TooManyPixels);
    }
    decoder.set_limits(limits()).map_err(reject_reason)?;
    let orientation = exif::orientation(content, format);
    let (profile, colors) = colors::parse_profile(decoder.icc_profile().ok().flatten().as_deref());
    let animated = is_animated(&decoder);
    let pixels = DynamicImage::from_decoder(decoder).map_err(reject_reason)?;
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

fn reject_reason(error: ImageError) -> RejectReason {
    match error {
        ImageError::Limits(_) => RejectReason::TooManyPixels,
        _ => RejectReason::Malformed,
    }
}
