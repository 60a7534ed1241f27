//! The fonts that are in the binary, in the order in which they are asked for a character.

use std::sync::OnceLock;

use anyhow::Context;
use krilla::text::Font;
use rustybuzz::Face;

/// Regular or bold. Only Latin, Greek and Cyrillic have a bold; the other scripts are regular everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Bold,
}

/// A font, as it is shaped with and as it is drawn with.
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

    // Only what is asked for is parsed, and only that much of the binary is ever read into memory.
    fn face(&self) -> Option<&FontFace> {
        let load = || {
            let shaper = Face::from_slice(self.bytes, 0)?;
            Some(FontFace { shaper, font: Font::new(self.bytes.into(), 0)? })
        };
        self.face.get_or_init(load).as_ref()
    }
}

macro_rules! fonts {
    ($($name:literal),+) => { [$(Embedded::new(include_bytes!(concat!("../../../fonts/", $name)))),+] };
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

/// The font for Latin.
pub(super) fn default_face(weight: Weight) -> anyhow::Result<&'static FontFace> {
    all(weight).next().and_then(Embedded::face).context("the font for Latin cannot be read")
}

/// The first font that has all characters of a cluster, but for those that nobody sees.
pub(super) fn face_for_cluster(weight: Weight, cluster: &str) -> Option<&'static FontFace> {
    let has =
        |face: &&FontFace| cluster.chars().all(|c| is_invisible(c) || face.shaper.glyph_index(c).is_some());
    all(weight).filter_map(Embedded::face).find(has)
}

/// Characters that only say how others are joined, ordered or shown: a font need not have them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}
