//! The embedded fonts: `fonts/README.md` lists what they cover. A script has one font, so that only the fonts
//! of the text's own scripts are looked at.

use std::sync::{Arc, Mutex, OnceLock};

use anyhow::Context;
use krilla::text::Font;
use platform::lock;
use rustybuzz::script::UNKNOWN;
use rustybuzz::{Direction, Face, GlyphBuffer, ShapePlan, UnicodeBuffer};
use unicode_script::{Script, UnicodeScript};

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
    /// The plans that were made, by direction and script.
    plans: Mutex<Vec<(Direction, rustybuzz::Script, Arc<ShapePlan>)>>,
}

impl FontFace {
    /// Shapes a text whose script and direction are known. The plan for them is kept: to make one takes longer than to shape
    /// a word with it.
    pub(super) fn shape(&self, text: UnicodeBuffer) -> GlyphBuffer {
        let (direction, script) = (text.direction(), text.script());
        let new = || {
            let script = Some(script).filter(|script| *script != UNKNOWN);
            Arc::new(ShapePlan::new(&self.shaper, direction, script, text.language().as_ref(), &[]))
        };
        let mut plans = lock(&self.plans);
        let known = plans.iter().find(|plan| (plan.0, plan.1) == (direction, script));
        let plan = known.map_or_else(new, |(_, _, plan)| Arc::clone(plan));
        if known.is_none() {
            plans.push((direction, script, Arc::clone(&plan)));
        }
        drop(plans);
        rustybuzz::shape_with_plan(&self.shaper, &plan, text)
    }

    /// Whether the font has a glyph for `c`.
    pub(super) fn has(&self, c: char) -> bool {
        self.shaper.glyph_index(c).is_some()
    }
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
            Some(FontFace { shaper, font: Font::new(self.bytes.into(), 0)?, plans: Mutex::default() })
        };
        self.face.get_or_init(load).as_ref()
    }
}

macro_rules! font {
    ($($part:literal),+) => {
        Embedded::new(include_bytes!(concat!("../../fonts/", $($part),+)))
    };
}

macro_rules! fonts_by_script {
    ($($script:ident: $name:literal),+ $(,)?) => {
        [$((Script::$script, font!("NotoSans", $name, "-Regular.ttf"))),+]
    };
}

static REGULAR: Embedded = font!("NotoSans-Regular.ttf");
static BOLD: Embedded = font!("NotoSans-Bold.ttf");
static BY_SCRIPT: [(Script, Embedded); 21] = fonts_by_script! {
    Arabic: "Arabic",
    Armenian: "Armenian",
    Bengali: "Bengali",
    Canadian_Aboriginal: "CanadianAboriginal",
    Cherokee: "Cherokee",
    Devanagari: "Devanagari",
    Georgian: "Georgian",
    Gujarati: "Gujarati",
    Gurmukhi: "Gurmukhi",
    Hebrew: "Hebrew",
    Kannada: "Kannada",
    Khmer: "Khmer",
    Lao: "Lao",
    Malayalam: "Malayalam",
    Myanmar: "Myanmar",
    Oriya: "Oriya",
    Sinhala: "Sinhala",
    Tamil: "Tamil",
    Telugu: "Telugu",
    Thaana: "Thaana",
    Thai: "Thai",
};
/// Chinese, Japanese and Korean, and symbols.
static OTHERS: [Embedded; 4] = [
    font!("WenQuanYiMicroHei.ttf"),
    font!("NotoSansCJKjp-Regular.otf"),
    font!("NotoSansSymbols-Regular.ttf"),
    font!("NotoSansSymbols2-Regular.ttf"),
];

fn latin(weight: Weight) -> Option<&'static FontFace> {
    match weight {
        Weight::Regular => REGULAR.face(),
        Weight::Bold => BOLD.face(),
    }
}

/// Returns the other fonts that may have `c`, in the order in which they are searched.
fn others(c: char) -> impl Iterator<Item = &'static FontFace> {
    // Punctuation that several scripts share names all of them; what all scripts share names none.
    let scripts = c.script_extension();
    let is_shared_by_all = scripts.is_common() || scripts.is_inherited();
    let own = BY_SCRIPT
        .iter()
        .filter(move |(script, _)| !is_shared_by_all && scripts.contains_script(*script))
        .map(|(_, font)| font);
    own.chain(&OTHERS).filter_map(Embedded::face)
}

/// Returns the font for Latin.
pub(super) fn default_face(weight: Weight) -> anyhow::Result<&'static FontFace> {
    latin(weight).context("the font for Latin cannot be read")
}

/// Returns the first font that has all visible characters of a text. `None` if there is none, or no visible
/// character.
pub(super) fn face_for(weight: Weight, text: &str) -> Option<&'static FontFace> {
    let visible = || text.chars().filter(|c| !is_invisible(*c));
    let first = visible().next()?;
    let has_all = |face: &&FontFace| visible().all(|c| face.has(c));
    latin(weight).filter(has_all).or_else(|| others(first).find(has_all))
}

/// Whether a character only controls how others are joined, ordered or displayed, so that a font need not
/// have a glyph for it: the property `Default_Ignorable_Code_Point` of Unicode, without Hangul fillers, which
/// are blank.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{fff0}'..='\u{fff8}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size of the fonts when they covered half of the scripts.
    const MAX_BYTES: usize = 6_827_819;

    #[test]
    fn every_font_can_be_read_and_they_stay_small() {
        let others = BY_SCRIPT.iter().map(|(_, font)| font).chain(&OTHERS);
        let all: Vec<&Embedded> = [&REGULAR, &BOLD].into_iter().chain(others).collect();
        assert!(all.iter().all(|font| font.face().is_some()));
        let bytes: usize = all.iter().map(|font| font.bytes.len()).sum();
        assert!(bytes <= MAX_BYTES, "{bytes}");
    }

    #[test]
    fn each_script_has_its_font() {
        for (script, font) in &BY_SCRIPT {
            let letters = ('\u{80}'..'\u{20000}').filter(|c| c.script() == *script);
            let face = font.face().unwrap();
            assert!(letters.filter(|c| face.has(*c)).count() > 40, "{script:?}");
        }
    }
}
