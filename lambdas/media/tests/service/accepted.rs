//! Files that are accepted, and their renditions.

use domain::product::{Colors, OriginalFormat, RenditionFormat, RenditionSize};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageFormat, Rgba, RgbaImage};
use media::rendition::render;

use crate::support::{BLUE, GREEN, RED, WHITE, assert_shows, corpus, file, jpeg, png, quarters, shown};

#[test]
fn each_format_is_detected_from_its_content() {
    for (content, format) in [
        (jpeg(64, 48), OriginalFormat::Jpeg),
        (png(64, 48), OriginalFormat::Png),
        (file(quarters(64, 48), ImageFormat::Gif), OriginalFormat::Gif),
        (file(quarters(64, 48), ImageFormat::WebP), OriginalFormat::Webp),
        (corpus("progressive.jpg"), OriginalFormat::Jpeg),
    ] {
        let rendered = render(&content).unwrap();
        let original = &rendered.original;
        assert_eq!((original.format, original.width, original.height), (format, 64, 48));
        assert_eq!((original.orientation, original.animated), (1, false));
        assert_eq!(original.bytes, u64::try_from(content.len()).unwrap());
        assert_shows(&rendered, [RED, GREEN, BLUE, WHITE], 14);
    }
}

#[test]
fn renditions_have_the_expected_sizes() {
    let rendered = render(&jpeg(3000, 2000)).unwrap();
    for (size, sides) in [
        (RenditionSize::Full, (1600, 1067)),
        (RenditionSize::Card, (480, 320)),
        (RenditionSize::Thumbnail, (160, 107)),
    ] {
        for format in [RenditionFormat::Webp, RenditionFormat::Jpeg] {
            let picture = shown(&rendered, size, format);
            assert_eq!((picture.width(), picture.height()), sides, "{size:?} {format:?}");
        }
    }
    assert_shows(&rendered, [RED, GREEN, BLUE, WHITE], 10);
}

/// An Exif segment with an orientation, and a location that must not leak.
fn exif(orientation: u8) -> Vec<u8> {
    let mut tiff = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    tiff.extend_from_slice(&[orientation, 0, 0, 0, 0, 0, 0]);
    tiff.extend_from_slice(b"GPS 52.5163 N 13.3777 E");
    let mut segment = vec![0xFF, 0xE1];
    segment.extend_from_slice(&u16::try_from(tiff.len() + 8).unwrap().to_be_bytes());
    segment.extend_from_slice(b"Exif\0\0");
    segment.extend_from_slice(&tiff);
    segment
}

#[test]
fn all_eight_orientations_are_applied_and_nothing_else_of_exif_is_kept() {
    // The displayed quarters (top left, top right, bottom left, bottom right) for each orientation.
    for (orientation, expected) in [
        (1, [RED, GREEN, BLUE, WHITE]),
        (2, [GREEN, RED, WHITE, BLUE]),
        (3, [WHITE, BLUE, GREEN, RED]),
        (4, [BLUE, WHITE, RED, GREEN]),
        (5, [RED, BLUE, GREEN, WHITE]),
        (6, [BLUE, RED, WHITE, GREEN]),
        (7, [WHITE, GREEN, BLUE, RED]),
        (8, [GREEN, WHITE, RED, BLUE]),
    ] {
        let mut content = jpeg(64, 48);
        content.splice(2..2, exif(orientation));
        let rendered = render(&content).unwrap();
        assert_eq!(rendered.original.orientation, orientation);
        assert_eq!((rendered.original.width, rendered.original.height), (64, 48), "the stored size");
        let sides = if orientation < 5 { (64, 48) } else { (48, 64) };
        for file in &rendered.files {
            assert_eq!((file.width, file.height), sides, "{orientation}");
            let contains = |text: &[u8]| file.content.windows(text.len()).any(|part| part == text);
            assert!(!contains(b"Exif") && !contains(b"EXIF") && !contains(b"GPS"), "{orientation}");
        }
        assert_shows(&rendered, expected, 14);
    }
}

#[test]
fn the_first_frame_of_an_animation_is_rendered() {
    for name in ["animated.gif", "animated.webp"] {
        let rendered = render(&corpus(name)).unwrap();
        assert!(rendered.original.animated, "{name}");
        assert_shows(&rendered, [RED, GREEN, BLUE, WHITE], 16);
    }
}

#[test]
fn cmyk_is_accepted_and_not_inverted() {
    for name in ["cmyk.jpg", "cmyk-progressive.jpg"] {
        let rendered = render(&corpus(name)).unwrap();
        assert_shows(&rendered, [RED, GREEN, BLUE, WHITE], 14);
    }
}

/// A PNG with a colour profile.
fn with_profile(pixels: &image::RgbImage, profile: Vec<u8>) -> Vec<u8> {
    let mut content = Vec::new();
    let mut encoder = PngEncoder::new(&mut content);
    encoder.set_icc_profile(profile).unwrap();
    encoder.write_image(pixels, pixels.width(), pixels.height(), ExtendedColorType::Rgb8).unwrap();
    content
}

#[test]
fn colours_are_converted_from_their_profile_to_srgb() {
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let rendered = render(&with_profile(&quarters(64, 48), profile)).unwrap();
    assert_eq!(rendered.original.colors, Colors::ConvertedFromProfile);
    // The same values are more saturated in Display P3, so their sRGB values are more extreme.
    let red = shown(&rendered, RenditionSize::Full, RenditionFormat::Jpeg).into_rgb8().get_pixel(16, 12).0;
    assert!(red[0] >= 238 && red[1] <= 24, "{red:?}");

    let srgb = moxcms::ColorProfile::new_srgb().encode().unwrap();
    let rendered = render(&with_profile(&quarters(64, 48), srgb)).unwrap();
    assert_shows(&rendered, [RED, GREEN, BLUE, WHITE], 10);

    let rendered = render(&with_profile(&quarters(64, 48), b"no profile".to_vec())).unwrap();
    assert_eq!(rendered.original.colors, Colors::ProfileIgnored);
    assert_shows(&rendered, [RED, GREEN, BLUE, WHITE], 10);
}

#[test]
fn transparency_is_kept_in_webp_and_becomes_white_in_jpeg() {
    let pixels =
        RgbaImage::from_fn(64, 48, |x, _| if x < 32 { Rgba([0, 0, 0, 0]) } else { Rgba([200, 0, 0, 255]) });
    let rendered = render(&file(pixels, ImageFormat::Png)).unwrap();
    let webp = shown(&rendered, RenditionSize::Full, RenditionFormat::Webp).into_rgba8();
    assert_eq!((webp.get_pixel(8, 24).0[3], webp.get_pixel(56, 24).0[3]), (0, 255));
    let jpeg = shown(&rendered, RenditionSize::Full, RenditionFormat::Jpeg).into_rgb8();
    assert!(jpeg.get_pixel(8, 24).0.iter().all(|channel| *channel > 245), "{:?}", jpeg.get_pixel(8, 24));
}

/// A file that is both an image and something else is accepted as the image, and the rest is dropped.
#[test]
fn only_the_pixels_of_a_polyglot_get_through() {
    let html = b"<html><script>alert('polyglot')</script></html>";
    let zip = b"PK\x03\x04\x14\0\0\0\0\0polyglotPK\x05\x06\0\0\0\0\x01\0\x01\0\x36\0\0\0\x1e\0\0\0\0\0";
    let mut comment = vec![0xFF, 0xFE];
    comment.extend_from_slice(&u16::try_from(html.len() + 2).unwrap().to_be_bytes());
    comment.extend_from_slice(html);
    let mut inside = jpeg(64, 48);
    inside.splice(2..2, comment);
    for (name, content) in [
        ("HTML in a comment", inside),
        ("ZIP after a JPEG", [jpeg(64, 48).as_slice(), zip].concat()),
        ("HTML after a PNG", [png(64, 48).as_slice(), html].concat()),
        ("ZIP after a GIF", [file(quarters(64, 48), ImageFormat::Gif).as_slice(), zip].concat()),
    ] {
        let rendered = render(&content).unwrap();
        assert_shows(&rendered, [RED, GREEN, BLUE, WHITE], 14);
        for file in &rendered.files {
            let contains = |text: &[u8]| file.content.windows(text.len()).any(|part| part == text);
            assert!(!contains(b"polyglot") && !contains(b"PK\x03\x04"), "{name}");
        }
    }
}
