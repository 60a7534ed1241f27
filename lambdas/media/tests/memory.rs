//! What the largest pictures take, measured: each in a process of its own, whose peak the kernel knows.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test, one of whose processes tells the other"
)]

use std::process::Command;

use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, Rgb, Rgba};
use media::picture::render;

/// Names the file that is to be rendered.
const FILE: &str = "MEDIA_MEMORY_TEST_FILE";
/// 50 million pixels.
const SIDES: (u32, u32) = (10_000, 5000);
/// What `template.yaml` gives the function is more than twice this.
const MOST_MEGABYTES: u64 = 750;

/// The process that renders: says what it took at most, in kilobytes.
#[test]
fn render_one() {
    let Ok(path) = std::env::var(FILE) else { return };
    let content = std::fs::read(path).unwrap();
    render(&content).unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap());
}

fn peak_megabytes(name: &str, picture: &DynamicImage, format: ImageFormat) -> u64 {
    let path = std::env::temp_dir().join(format!("media-memory-{}-{name}", std::process::id()));
    picture.save_with_format(&path, format).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "render_one", "--nocapture"])
        .env(FILE, &path)
        .output()
        .unwrap();
    std::fs::remove_file(path).unwrap();
    let told = String::from_utf8_lossy(&child.stdout).into_owned();
    let line =
        told.lines().find(|line| line.contains("VmHWM")).unwrap_or_else(|| panic!("{name}: {child:?}"));
    let kilobytes: String = line.chars().filter(char::is_ascii_digit).collect();
    kilobytes.parse::<u64>().unwrap() / 1024
}

#[test]
fn the_largest_pictures_fit() {
    let (width, height) = SIDES;
    let deep = ImageBuffer::from_pixel(width, height, Rgba([40_000_u16, 20_000, 10_000, 30_000]));
    let gray = ImageBuffer::from_pixel(width, height, Luma([90_u8]));
    let color = ImageBuffer::from_pixel(width, height, Rgb([200_u8, 90, 30]));
    let color = DynamicImage::ImageRgb8(color);
    for (name, picture, format) in [
        ("deep.png", &DynamicImage::ImageRgba16(deep), ImageFormat::Png),
        ("gray.png", &DynamicImage::ImageLuma8(gray), ImageFormat::Png),
        ("color.jpg", &color, ImageFormat::Jpeg),
        ("color.webp", &color, ImageFormat::WebP),
        ("color.gif", &color, ImageFormat::Gif),
    ] {
        let peak = peak_megabytes(name, picture, format);
        println!("{name}: {peak} MB");
        assert!(peak < MOST_MEGABYTES, "{name} took {peak} MB");
    }
}
