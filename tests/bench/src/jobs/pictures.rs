//! Pictures: what `process-upload` makes of one, beside ImageMagick.

use std::path::Path;
use std::process::Command;

use anyhow::Context;
use domain::product::RenditionSize;
use image::ImageFormat;

use bench::photo::photo;

use super::{Contest, Contestant, Section, on_path};

/// Writes one to a file, in the format that the file's name says.
pub(super) fn write(path: &Path, width: u32, height: u32) -> anyhow::Result<u64> {
    let format = ImageFormat::from_path(path)?;
    photo(width, height).save_with_format(path, format).context("the picture could not be written")?;
    Ok(std::fs::metadata(path)?.len())
}

/// The name of a file, and the picture's width and height.
const PICTURES: [(&str, u32, u32); 3] =
    [("12 MP.jpg", 4000, 3000), ("48 MP.jpg", 8000, 6000), ("12 MP.png", 4000, 3000)];
/// As `process-upload` writes them.
const JPEG_QUALITY: &str = "85";
const WEBP_QUALITY: &str = "82";

/// Its name on the command line.
pub(super) const JOB: &str = "pictures";

/// Makes all renditions of the picture in a file, as `process-upload` does between reading and writing.
pub(super) fn work(arguments: &[String]) -> anyhow::Result<()> {
    let path = arguments.first().context("which picture?")?;
    let rendered = media::rendition::render(&std::fs::read(path)?);
    let rendered = rendered.map_err(|reason| anyhow::anyhow!("{path} is refused: {reason:?}"))?;
    anyhow::ensure!(rendered.files.len() == 2 * RenditionSize::ALL.len(), "not all renditions were made");
    Ok(())
}

/// `process-upload` and ImageMagick, with the same pictures.
pub(super) fn measure(rounds: usize) -> anyhow::Result<Section> {
    let folder = tempfile::tempdir()?;
    let magick = on_path("magick").or_else(|| on_path("convert-im6")).or_else(|| on_path("convert"));
    let mut contestants = Vec::new();
    for (name, width, height) in PICTURES {
        let path = folder.path().join(name);
        let work = write(&path, width, height)?;
        let path = path.to_string_lossy();
        contestants.push(Contestant::of_ours(format!("{name}: process-upload"), work, JOB, &[&*path])?);
        if let Some(program) = &magick {
            let (name, program) = (format!("{name}: ImageMagick"), program.clone());
            contestants.push(Contestant { name, program, arguments: told(&path, folder.path()), work });
        }
    }
    let beside = magick.as_deref().and_then(version).unwrap_or_else(|| {
        "ImageMagick is not on this machine (Debian package imagemagick), and so not measured.".to_owned()
    });
    let contest = Contest {
        title: "Pictures",
        about: format!(
            "Three sizes of a picture (1600, 480 and 160 pixels), each as WebP and JPEG, without metadata. The rate is \
that of the original's file. {beside}"
        ),
        unit: "MB",
        per_unit: 1_000_000,
        contestants,
    };
    contest.hold(rounds)
}

/// The same sizes, formats and qualities, each size made of the one before.
fn told(path: &str, folder: &Path) -> Vec<String> {
    let mut told: Vec<String> = [path, "-auto-orient", "-strip"].map(str::to_owned).into();
    for size in RenditionSize::ALL {
        told.extend(["-resize".to_owned(), format!("{0}x{0}>", size.max_side())]);
        for (quality, extension) in [(WEBP_QUALITY, "webp"), (JPEG_QUALITY, "jpg")] {
            let file = folder.join(format!("{}.{extension}", size.name())).to_string_lossy().into_owned();
            told.extend(["-quality".to_owned(), quality.to_owned(), "-write".to_owned(), file]);
        }
    }
    // The last operand is where the result goes, and it has been written.
    told.push("null:".to_owned());
    told
}

/// What it calls itself.
fn version(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("-version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next()?.strip_prefix("Version: ")?;
    let words: Vec<&str> = line.split(' ').take(2).collect();
    Some(format!("Beside it, {}.", words.join(" ")))
}
