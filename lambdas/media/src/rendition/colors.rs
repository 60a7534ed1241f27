//! Colour management: renditions are sRGB, which browsers assume for images without a profile.
//!
//! A CMYK JPEG is converted to RGB by its decoder, without its profile: the profile of a printing press is of
//! little use on a screen.

use domain::product::Colors;
use image::DynamicImage;
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

/// An ICC profile that can be converted to sRGB.
pub(super) struct Profile(ColorProfile);

/// The maximum size of a profile: those of cameras and screens have a few kilobytes.
const MAX_PROFILE_BYTES: usize = 1024 * 1024;

/// Parses an ICC profile (ICC.1), and returns it with how the colours will be converted.
pub(super) fn parse_profile(content: Option<&[u8]>) -> (Option<Profile>, Colors) {
    let Some(content) = content else { return (None, Colors::AssumedSrgb) };
    let parsed =
        if content.len() <= MAX_PROFILE_BYTES { ColorProfile::new_from_slice(content).ok() } else { None };
    // A profile that cannot be applied is detected here, so that the record states it.
    let usable = parsed.filter(|profile| {
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

/// Converts the colours to sRGB.
pub(super) fn convert_to_srgb(pixels: &mut DynamicImage, profile: Option<&Profile>) {
    let Some(Profile(profile)) = profile else { return };
    let (layout, samples): (Layout, &mut [u8]) = match pixels {
        DynamicImage::ImageRgb8(pixels) => (Layout::Rgb, pixels),
        DynamicImage::ImageRgba8(pixels) => (Layout::Rgba, pixels),
        _ => return,
    };
    let source = samples.to_vec();
    // The transform has been created successfully before. If it fails now, the colours are left unchanged.
    if let Some(Err(error)) = transform(profile, layout).map(|it| it.transform(&source, samples)) {
        tracing::warn!(%error, "the colours could not be converted");
    }
}
