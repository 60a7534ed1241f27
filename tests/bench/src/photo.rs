//! Generates images that compress like photographs.

use image::{Rgb, RgbImage};

/// Generates an image that resembles a photo: large shapes, soft gradients, and noise, without which it would compress
/// too well. It is the same each time.
pub fn photo(width: u32, height: u32) -> RgbImage {
    let mut state = 0x9E37_79B9_u32;
    RgbImage::from_fn(width, height, |x, y| {
        // Marsaglia's xorshift (https://www.jstatsoft.org/article/view/v008i14).
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let noise = state >> 28;
        let shade = |along: u32, length: u32| along * 200 / length.max(1);
        let (from_left, from_top) = (x.abs_diff(width / 2), y.abs_diff(height / 2));
        let disc = from_left.saturating_mul(from_left) + from_top.saturating_mul(from_top);
        let inside = disc < (width.min(height) / 3).saturating_pow(2);
        let stripes = if (x / 97 + y / 61).is_multiple_of(2) { 0 } else { 24 };
        let channel = |value: u32| u8::try_from(value.min(255)).unwrap_or(u8::MAX);
        let (red, green, blue) = (shade(x, width), shade(y, height), 200 - shade(x, width));
        if inside {
            Rgb([channel(220 - red / 2 + noise), channel(40 + green + noise), channel(60 + stripes + noise)])
        } else {
            Rgb([channel(red + stripes + noise), channel(green + noise), channel(blue + stripes + noise)])
        }
    })
}
