//! Images: compares the renditions of `process-upload` with those of ImageMagick.

use std::path::Path;
use std::process::Command;

use anyhow::Context;
use domain::product::RenditionSize;
use image::ImageFormat;

use bench::photo::photo;

use super::{Candidate, Comparison, Section, on_path};

/// Writes a generated image to a file, in the format of the file's extension, and returns its size in bytes.
pub(super) fn write(path: &Path, width: u32, height: u32) -> anyhow::Result<u64> {
    let format = ImageFormat::from_path(path)?;
    photo(width, height).save_with_format(path, format).context("cannot write the image")?;
    Ok(std::fs::metadata(path)?.len())
}

/// The names of the files, with the width and height of the images.
const IMAGES: [(&str, u32, u32); 3] =
    [("12 MP.jpg", 4000, 3000), ("48 MP.jpg", 8000, 6000), ("12 MP.png", 4000, 3000)];
// The qualities of `process-upload`.
const JPEG_QUALITY: &str = "85";
const WEBP_QUALITY: &str = "82";

/// Its name on the command line.
pub(super) const JOB: &str = "images";

/// Renders all renditions of the image in a file, as `process-upload` does between reading and writing.
pub(super) fn render(arguments: &[String]) -> anyhow::Result<()> {
    let path = arguments.first().context("the path of an image is missing")?;
    let rendered = media::rendition::render(&std::fs::read(path)?);
    let rendered = rendered.map_err(|reason| anyhow::anyhow!("{path} was rejected: {reason:?}"))?;
    anyhow::ensure!(rendered.files.len() == 2 * RenditionSize::ALL.len(), "some renditions are missing");
    Ok(())
}

/// Measures `process-upload` and ImageMagick with the same images.
pub(super) fn measure(rounds: usize) -> anyhow::Result<Section> {
    let folder = tempfile::tempdir()?;
    let magick = on_path("magick").or_else(|| on_path("convert-im6")).or_else(|| on_path("convert"));
    let mut candidates = Vec::new();
    for (name, width, height) in IMAGES {
        let path = folder.path().join(name);
        let work = write(&path, width, height)?;
        let path = path.to_string_lossy();
        candidates.push(Candidate::for_job(format!("{name}: process-upload"), work, JOB, &[&*path])?);
        if let Some(program) = &magick {
            let (name, program) = (format!("{name}: ImageMagick"), program.clone());
            candidates.push(Candidate {
                name,
                program,
                arguments: magick_arguments(&path, folder.path()),
                work,
            });
        }
    }
    let compared_with = magick.as_deref().and_then(version).unwrap_or_else(|| {
        "ImageMagick (Debian package imagemagick) is not installed, and therefore not measured.".to_owned()
    });
    let comparison = Comparison {
        title: "Images",
        description: format!(
            "Three renditions of an image (1600, 480 and 160 pixels), each as WebP and JPEG, without metadata. The rate refers \
to the size of the original file. {compared_with}"
        ),
        unit: "MB",
        per_unit: 1_000_000,
        candidates,
    };
    comparison.run(rounds)
}

/// The arguments for the same sizes, formats and qualities. Each size is derived from the previous one.
fn magick_arguments(path: &str, folder: &Path) -> Vec<String> {
    let mut arguments: Vec<String> = [path, "-auto-orient", "-strip"].map(str::to_owned).into();
    for size in RenditionSize::ALL {
        arguments.extend(["-resize".to_owned(), format!("{0}x{0}>", size.max_side())]);
        for (quality, extension) in [(WEBP_QUALITY, "webp"), (JPEG_QUALITY, "jpg")] {
            let file = folder.join(format!("{}.{extension}", size.as_ref())).to_string_lossy().into_owned();
            arguments.extend(["-quality".to_owned(), quality.to_owned(), "-write".to_owned(), file]);
        }
    }
    // The last operand is the output file. All files have been written, so it is discarded.
    arguments.push("null:".to_owned());
    arguments
}

/// The sentence with the name and version of ImageMagick.
fn version(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("-version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next()?.strip_prefix("Version: ")?;
    let words: Vec<&str> = line.split(' ').take(2).collect();
    Some(format!("For comparison, {}.", words.join(" ")))
}
