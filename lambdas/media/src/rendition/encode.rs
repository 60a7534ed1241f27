//! Encoding of renditions.

use domain::product::{RejectReason, RenditionFormat};
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, Rgb, RgbImage, RgbaImage};

/// The JPEG quality, 0 to 100. Above it, files grow without a visible improvement.
const JPEG_QUALITY: u8 = 85;
/// The WebP quality, 0 to 100. It matches that of the JPEG at about two thirds of the size.
const WEBP_QUALITY: f32 = 82.0;

/// Encodes pixels as a file without metadata.
pub(super) fn encode(pixels: &DynamicImage, format: RenditionFormat) -> Result<Vec<u8>, RejectReason> {
    let encoded = match format {
        RenditionFormat::Webp => webp(pixels),
        RenditionFormat::Jpeg => jpeg(pixels),
    };
    encoded.map_err(|error| {
        tracing::error!(error, ?format, "the image could not be encoded");
        RejectReason::Malformed
    })
}

fn webp(pixels: &DynamicImage) -> Result<Vec<u8>, String> {
    let encoder = webp::Encoder::from_image(pixels)?;
    let encoded = encoder.encode_simple(false, WEBP_QUALITY).map_err(|error| format!("{error:?}"))?;
    Ok(encoded.to_vec())
}

fn jpeg(pixels: &DynamicImage) -> Result<Vec<u8>, String> {
    let opaque = match pixels {
        DynamicImage::ImageRgba8(pixels) => flatten_onto_white(pixels),
        _ => pixels.to_rgb8(),
    };
    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut file, JPEG_QUALITY);
    encoder.encode_image(&opaque).map_err(|error| error.to_string())?;
    Ok(file)
}

/// Replaces transparency by white, because JPEG does not support it and the pages of shops are white.
fn flatten_onto_white(pixels: &RgbaImage) -> RgbImage {
    RgbImage::from_fn(pixels.width(), pixels.height(), |x, y| {
        let [red, green, blue, alpha] = pixels.get_pixel(x, y).0;
        Rgb([red, green, blue].map(|channel| blend_with_white(channel, alpha)))
    })
}

/// Blends a channel with white, rounded to the nearest integer.
fn blend_with_white(channel: u8, alpha: u8) -> u8 {
    let (channel, alpha) = (u32::from(channel), u32::from(alpha));
    u8::try_from((channel * alpha + 255 * (255 - alpha) + 127) / 255).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transparent_pixels_become_white() {
        let blend = blend_with_white;
        assert_eq!(
            (blend(0, 255), blend(0, 0), blend(0, 128), blend(200, 255), blend(255, 7)),
            (0, 255, 127, 200, 255)
        );
    }
}
