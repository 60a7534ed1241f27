//! Other sizes of a picture.

use domain::product::RejectReason;
use fast_image_resize::Resizer;
use image::DynamicImage;

/// The picture so that it fits into a square of `most` pixels. One that fits stays as it is.
pub(super) fn fit(pixels: DynamicImage, most: u32) -> Result<DynamicImage, RejectReason> {
    let (width, height) = (pixels.width(), pixels.height());
    let (new_width, new_height) = fitted(width, height, most);
    if (new_width, new_height) == (width, height) {
        return Ok(pixels);
    }
    let mut smaller = DynamicImage::new(new_width, new_height, pixels.color());
    // The usual filter, Lanczos with three lobes; colours of what is transparent do not run into the rest.
    Resizer::new().resize(&pixels, &mut smaller, None).map_err(|error| {
        tracing::error!(%error, width, height, "a picture could not be resized");
        RejectReason::Malformed
    })?;
    Ok(smaller)
}

fn fitted(width: u32, height: u32, most: u32) -> (u32, u32) {
    if width.max(height) <= most {
        return (width, height);
    }
    let scaled = |side: u32| {
        let (side, longer) = (u64::from(side), u64::from(width.max(height)));
        u32::try_from((side * u64::from(most) + longer / 2) / longer).unwrap_or(most).max(1)
    };
    (scaled(width), scaled(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_fits_keeps_its_shape_and_never_grows() {
        for ((width, height), fits) in [
            ((4000, 3000), (1600, 1200)),
            ((3000, 4000), (1200, 1600)),
            ((1600, 1600), (1600, 1600)),
            ((1601, 1600), (1600, 1599)),
            ((20, 10), (20, 10)),
            ((65_535, 1), (1600, 1)),
            ((1, 50_000_000), (1, 1600)),
        ] {
            assert_eq!(fitted(width, height, 1600), fits, "{width} × {height}");
        }
    }
}
