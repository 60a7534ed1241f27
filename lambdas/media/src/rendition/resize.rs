//! Resizes images to the sizes of renditions.

use domain::product::RejectReason;
use fast_image_resize::Resizer;
use image::DynamicImage;

/// Scales an image down to fit into a square with sides of `max_side` pixels. An image that fits is returned
/// unchanged.
pub(super) fn fit(pixels: DynamicImage, max_side: u32) -> Result<DynamicImage, RejectReason> {
    let (width, height) = (pixels.width(), pixels.height());
    let (new_width, new_height) = fitted_size(width, height, max_side);
    if (new_width, new_height) == (width, height) {
        return Ok(pixels);
    }
    let mut smaller = DynamicImage::new(new_width, new_height, pixels.color());
    // The default filter, Lanczos with three lobes. It premultiplies alpha, so that the colours of
    // transparent pixels do not bleed into others.
    Resizer::new().resize(&pixels, &mut smaller, None).map_err(|error| {
        tracing::error!(%error, width, height, "the image could not be resized");
        RejectReason::Malformed
    })?;
    Ok(smaller)
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
