//! Measures the memory for the largest images: each is rendered in a process of its own, whose peak the
//! kernel reports.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::process::Command;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, ImageBuffer, ImageEncoder, ImageFormat, Rgb, Rgba};
use media::rendition::render;

/// The environment variable with the path of the file to render.
const FILE: &str = "MEDIA_MEMORY_TEST_FILE";
/// Width and height of 50 million pixels.
const SIDES: (u32, u32) = (10_000, 5000);
/// The maximum peak memory. The function has more than twice as much (`template.yaml`).
const MAX_MEGABYTES: u64 = 750;

/// The child process: renders the file and prints the peak memory in kilobytes.
#[test]
fn render_one() {
    let Ok(path) = std::env::var(FILE) else { return };
    let content = std::fs::read(path).unwrap();
    render(&content).unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap());
}

fn peak_megabytes(name: &str, content: &[u8]) -> u64 {
    assert!(
        content.len() <= usize::try_from(media::MAX_UPLOAD_BYTES).unwrap(),
        "{name} exceeds the upload limit"
    );
    let path = std::env::temp_dir().join(format!("media-memory-{}-{name}", std::process::id()));
    std::fs::write(&path, content).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "render_one", "--nocapture"])
        .env(FILE, &path)
        .output()
        .unwrap();
    std::fs::remove_file(path).unwrap();
    let output = String::from_utf8_lossy(&child.stdout).into_owned();
    let line = output.lines().find(|line| line.contains("VmHWM")).unwrap();
    let kilobytes: String = line.chars().filter(char::is_ascii_digit).collect();
    kilobytes.parse::<u64>().unwrap() / 1024
}

fn png_with_16_bits() -> Vec<u8> {
    let picture = ImageBuffer::from_pixel(SIDES.0, SIDES.1, Rgba([40_000_u16, 20_000, 10_000, 30_000]));
    let picture = DynamicImage::ImageRgba16(picture);
    let mut content = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut content, CompressionType::Fast, FilterType::Up);
    encoder.write_image(picture.as_bytes(), SIDES.0, SIDES.1, picture.color().into()).unwrap();
    content
}

fn jpeg() -> Vec<u8> {
    let picture = ImageBuffer::from_pixel(SIDES.0, SIDES.1, Rgb([200_u8, 90, 30]));
    let mut content = std::io::Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(picture).write_to(&mut content, ImageFormat::Jpeg).unwrap();
    content.into_inner()
}

#[test]
fn the_largest_images_fit_into_memory() {
    for (name, content) in [("deep.png", png_with_16_bits()), ("color.jpg", jpeg())] {
        let peak = peak_megabytes(name, &content);
        println!("{name}: {peak} MB");
        assert!(peak < MAX_MEGABYTES, "{name} needed {peak} MB");
    }
}
