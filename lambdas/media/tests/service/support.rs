//! Test images, and assertions on renditions.

use std::io::Cursor;

use domain::product::{RenditionFormat, RenditionSize};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use media::rendition::Rendered;

pub(crate) const RED: [u8; 3] = [220, 30, 30];
pub(crate) const GREEN: [u8; 3] = [30, 180, 30];
pub(crate) const BLUE: [u8; 3] = [30, 30, 220];
pub(crate) const WHITE: [u8; 3] = [250, 250, 250];

/// An image of four quarters: red at the top left, green at the top right, blue at the bottom left, and
/// white.
pub(crate) fn quarters(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb(match (x < width / 2, y < height / 2) {
            (true, true) => RED,
            (false, true) => GREEN,
            (true, false) => BLUE,
            (false, false) => WHITE,
        })
    })
}

pub(crate) fn file(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture.into().write_to(&mut file, format).unwrap();
    file.into_inner()
}

pub(crate) fn jpeg(width: u32, height: u32) -> Vec<u8> {
    file(quarters(width, height), ImageFormat::Jpeg)
}

pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    file(quarters(width, height), ImageFormat::Png)
}

/// The checksum of the name and the data of a PNG chunk.
pub(crate) fn crc(bytes: &[u8]) -> [u8; 4] {
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & 0_u32.wrapping_sub(crc & 1)))
    });
    (!crc).to_be_bytes()
}

pub(crate) fn corpus(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus");
    std::fs::read(format!("{folder}/{name}")).unwrap()
}

/// Returns a decoded rendition.
pub(crate) fn shown(rendered: &Rendered, size: RenditionSize, format: RenditionFormat) -> DynamicImage {
    let found = rendered.files.iter().find(|file| file.size == size && file.format == format).unwrap();
    let picture = image::load_from_memory(&found.content).unwrap();
    assert_eq!((picture.width(), picture.height()), (found.width, found.height));
    picture
}

/// Asserts the colours in the middle of each quarter of every rendition, within the tolerance of a lossy
/// format. It compares pixels rather than files, so that the result does not depend on the processor or the
/// version of an encoder.
#[track_caller]
pub(crate) fn assert_shows(rendered: &Rendered, expected: [[u8; 3]; 4], tolerance: u8) {
    assert_eq!(rendered.files.len(), 6);
    for file in &rendered.files {
        let picture = shown(rendered, file.size, file.format).into_rgb8();
        let (width, height) = picture.dimensions();
        for (index, expected) in expected.iter().enumerate() {
            let (is_right, is_bottom) = (index % 2 == 1, index >= 2);
            let center = |side: u32, is_far: bool| if is_far { side * 3 / 4 } else { side / 4 };
            let actual = picture.get_pixel(center(width, is_right), center(height, is_bottom)).0;
            let is_near = actual.iter().zip(expected).all(|(a, b)| a.abs_diff(*b) <= tolerance);
            assert!(
                is_near,
                "{:?} {:?}, quarter {index}: {actual:?}, expected {expected:?}",
                file.size, file.format
            );
        }
    }
}
