//! Resizes images to the sizes of renditions.

use domain::product::RejectReason;
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8x3, U8x4};
use fast_image_resize::{ImageBufferError, PixelTrait, ResizeError, Resizer};
use image::{DynamicImage, RgbImage, RgbaImage};

/// Scales an image down to fit into a square with sides of `max_side` pixels. An image that fits is returned
/// unchanged.
///
/// # Errors
/// If the pixels do not fill the image.
pub(super) fn fit(pixels: DynamicImage, max_side: u32) -> Result<DynamicImage, RejectReason> {
    let size = (pixels.width(), pixels.height());
    let fitted = fitted_size(size.0, size.1, max_side);
    if fitted == size {
        return Ok(pixels);
    }
    let result = match pixels {
        DynamicImage::ImageRgba8(pixels) => {
            let mut smaller = RgbaImage::new(fitted.0, fitted.1);
            scale::<U8x4>(&pixels, size, &mut smaller, fitted).map(|()| smaller.into())
        }
        other => {
            let mut smaller = RgbImage::new(fitted.0, fitted.1);
            scale::<U8x3>(&other.into_rgb8(), size, &mut smaller, fitted).map(|()| smaller.into())
        }
    };
    result.map_err(|error| {
        tracing::error!(%error, ?size, "the image could not be resized");
        RejectReason::Malformed
    })
}

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
enum ScaleError {
    Buffer(#[from] ImageBufferError),
    Resize(#[from] ResizeError),
}

/// Scales samples of one pixel type. `Resizer::resize` chooses among thirteen types, whose code makes the binary half a
/// megabyte larger.
fn scale<P: PixelTrait>(
    samples: &[u8],
    (width, height): (u32, u32),
    scaled: &mut [u8],
    (new_width, new_height): (u32, u32),
) -> Result<(), ScaleError> {
    let source = TypedImageRef::<P>::from_buffer(width, height, samples)?;
    let mut target = TypedImage::<P>::from_buffer(new_width, new_height, scaled)?;
    // The default filter, Lanczos with three lobes. It premultiplies alpha, so that the colours of transparent pixels
    // do not bleed into others.
    Ok(Resizer::new().resize_typed(&source, &mut target, None)?)
}

fn fitted_size(width: u32, height: u32, max_side: u32) -> (u32, u32) {
    if width.max(height) <= max_side {
        return (width, height);
    }
    let scaled = |side: u32| {
        let (side, longer) = (u64::from(side), u64::from(width.max(height)));
        u32::try_from((side * u64::from(max_side) + longer / 2) / longer).unwrap_or(max_side).max(1)
    };
    (scaled(width), scaled(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fitted_size_keeps_the_aspect_ratio_and_never_grows() {
        for ((width, height), fits) in [
            ((4000, 3000), (1600, 1200)),
            ((3000, 4000), (1200, 1600)),
            ((1600, 1600), (1600, 1600)),
            ((1601, 1600), (1600, 1599)),
            ((20, 10), (20, 10)),
            ((65_535, 1), (1600, 1)),
            ((1, 50_000_000), (1, 1600)),
        ] {
            assert_eq!(fitted_size(width, height, 1600), fits, "{width} × {height}");
        }
    }
}
