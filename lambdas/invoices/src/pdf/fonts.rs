//! The embedded fonts, in the order in which they are searched for a character.

use std::sync::OnceLock;

use anyhow::Context;
use krilla::text::Font;
use rustybuzz::Face;

/// The weight of a font. Only Latin, Greek and Cyrillic have bold faces; the other scripts are always
/// regular.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Bold,
}

/// A font for shaping and the same font for drawing.
pub(super) struct FontFace {
    pub(super) shaper: Face<'static>,
    pub(super) font: Font,
}

struct Embedded {
    bytes: &'static [u8],
    face: OnceLock<Option<FontFace>>,
}

impl Embedded {
    const fn new(bytes: &'static [u8]) -> Self {
        Self { bytes, face: OnceLock::new() }
    }

    // A font is parsed on its first use, so only the fonts in use are loaded from the binary into memory.
    fn face(&self) -> Option<&FontFace> {
        let load = || {
            let shaper = Face::from_slice(self.bytes, 0)?;
            Some(FontFace { shaper, font: Font::new(self.bytes.into(), 0)? })
        };
        self.face.get_or_init(load).as_ref()
    }
}

macro_rules! fonts {
    ($($name:literal),+) => { [$(Embedded::new(include_bytes!(concat!("../../fonts/", $name)))),+] };
}

static REGULAR: [Embedded; 1] = fonts!("NotoSans-Regular.ttf");
static BOLD: [Embedded; 1] = fonts!("NotoSans-Bold.ttf");
static FALLBACKS: [Embedded; 7] = fonts!(
    "NotoSansArabic-Regular.ttf",
    "NotoSansHebrew-Regular.ttf",
    "NotoSansThai-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "NotoSansArmenian-Regular.ttf",
    "NotoSansGeorgian-Regular.ttf",
    "wqy-microhei.ttc"
);

fn all(weight: Weight) -> impl Iterator<Item = &'static Embedded> {
    let first = match weight {
        Weight::Regular => &REGULAR,
        Weight::Bold => &BOLD,
    };
    first.iter().chain(&FALLBACKS)
}

/// Returns the font for Latin.
pub(super) fn default_face(weight: Weight) -> anyhow::Result<&'static FontFace> {
    all(weight).next().and_then(Embedded::face).context("the font for Latin cannot be read")
}

/// Returns the first font that has all visible characters of a cluster.
pub(super) fn face_for_cluster(weight: Weight, cluster: &str) -> Option<&'static FontFace> {
    let has =
        |face: &&FontFace| cluster.chars().all(|c| is_invisible(c) || face.shaper.glyph_index(c).is_some());
    all(weight).filter_map(Embedded::face).find(has)
}

/// Whether a character only controls how others are joined, ordered or displayed. A font need not have a
/// glyph for it.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}
