//! What colours mean: renditions are sRGB, which is what a browser takes a picture without a profile for.
//!
//! A CMYK JPEG becomes RGB as its decoder makes it, without its profile: a table for one printing press is of little use
//! to a screen, and no browser needs more.

use domain::product::Colors;
use image::DynamicImage;
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

/// What a file says that its colours mean.
pub(super) struct Profile(ColorProfile);

/// The largest profile that is read: those of cameras and screens have some kilobytes.
const MOST_BYTES: usize = 1024 * 1024;

/// Reads a profile (ICC.1), and says what is done with it.
pub(super) fn profile(content: Option<&[u8]>) -> (Option<Profile>, Colors) {
    let Some(content) = content else { return (None, Colors::AssumedSrgb) };
    let read = if content.len() <= MOST_BYTES { ColorProfile::new_from_slice(content).ok() } else { None };
    // One that cannot be applied is found out here, so that the record says what was done.
    let usable = read.filter(|profile| {
        profile.color_space == DataColorSpace::Rgb && transform(profile, Layout::Rgb).is_some()
    });
    match usable {
        Some(profile) => (Some(Profile(profile)), Colors::ConvertedFromProfile),
        None => (None, Colors::ProfileIgnored),
    }
}

type Transform = std::sync::Arc<dyn moxcms::TransformExecutor<u8> + Send + Sync>;

fn transform(profile: &ColorProfile, layout: Layout) -> Option<Transform> {
    let srgb = ColorProfile::new_srgb();
    profile.create_transform_8bit(layout, &srgb, layout, TransformOptions::default()).ok()
}

/// Makes the colours sRGB.
pub(super) fn convert(pixels: &mut DynamicImage, profile: Option<&Profile>) {
    let Some(Profile(profile)) = profile else { return };
    let (layout, samples): (Layout, &mut [u8]) = match pixels {
        DynamicImage::ImageRgb8(pixels) => (Layout::Rgb, pixels),
        DynamicImage::ImageRgba8(pixels) => (Layout::Rgba, pixels),
        _ => return,
    };
    let source = samples.to_vec();
    // It was tried before: what fails now leaves the colours as they are.
    if let Some(Err(error)) = transform(profile, layout).map(|it| it.transform(&source, samples)) {
        tracing::warn!(%error, "the colours could not be converted");
    }
}
