//! Pixels as files.

use domain::product::{RejectReason, RenditionFormat};
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, Rgb, RgbImage, RgbaImage};

/// Of 100. Above, files grow faster than anybody sees.
const JPEG_QUALITY: u8 = 85;
/// Of 100. About as good as the JPEG, at two thirds of its size.
const WEBP_QUALITY: f32 = 82.0;

/// The file. There is no metadata in it.
pub(super) fn encode(pixels: &DynamicImage, format: RenditionFormat) -> Result<Vec<u8>, RejectReason> {
    let encoded = match format {
        RenditionFormat::Webp => webp(pixels),
        RenditionFormat::Jpeg => jpeg(pixels),
    };
    encoded.map_err(|error| {
        tracing::error!(error, ?format, "a picture could not be written");
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
        DynamicImage::ImageRgba8(pixels) => on_white(pixels),
        _ => pixels.to_rgb8(),
    };
    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut file, JPEG_QUALITY);
    encoder.encode_image(&opaque).map_err(|error| error.to_string())?;
    Ok(file)
}

/// JPEG has no transparency, and shops are white.
fn on_white(pixels: &RgbaImage) -> RgbImage {
    RgbImage::from_fn(pixels.width(), pixels.height(), |x, y| {
        let [red, green, blue, alpha] = pixels.get_pixel(x, y).0;
        Rgb([red, green, blue].map(|channel| mix(channel, alpha)))
    })
}

/// `channel` over white, rounded.
fn mix(channel: u8, alpha: u8) -> u8 {
    let (channel, alpha) = (u32::from(channel), u32::from(alpha));
    u8::try_from((channel * alpha + 255 * (255 - alpha) + 127) / 255).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_transparent_is_white() {
        assert_eq!(
            (mix(0, 255), mix(0, 0), mix(0, 128), mix(200, 255), mix(255, 7)),
            (0, 255, 127, 200, 255)
        );
    }
}
