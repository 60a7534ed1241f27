//! Text shaping: font selection, bidirectional text (UAX #9), line breaking (UAX #14) and glyphs (rustybuzz).
//!
//! A character that no font has, such as an emoji, is drawn as U+FFFD and never as an empty box. Text that is
//! copied from the document contains the original character, unless PDF/A forbids it.

#![expect(clippy::float_arithmetic, reason = "lengths on paper, in points")]

use std::ops::Range;

use krilla::text::{Font, GlyphId, KrillaGlyph};
use rustybuzz::{Direction, UnicodeBuffer};
use unicode_bidi::BidiInfo;
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

use super::fonts::{FontFace, Weight, default_face, face_for, is_invisible};

/// What is drawn instead of a character that no font has.
const REPLACEMENT: char = '\u{fffd}';

/// The style of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Style {
    /// In points, a 72nd of an inch.
    pub(super) size: f32,
    pub(super) weight: Weight,
}

/// Consecutive glyphs of one font.
#[derive(Clone)]
pub(super) struct Run {
    pub(super) font: Font,
    /// Their ranges refer to the text of the line.
    pub(super) glyphs: Vec<KrillaGlyph>,
    /// In points, a 72nd of an inch.
    pub(super) width: f32,
    /// Whether it is drawn as a replacement, because no font has it.
    is_replaced: bool,
}

/// A shaped line.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) text: String,
    /// From left to right.
    pub(super) runs: Vec<Run>,
    /// In points, a 72nd of an inch.
    pub(super) width: f32,
    pub(super) size: f32,
    /// Whether a character was replaced, because no font has it.
    pub(super) has_replacements: bool,
}

/// Shapes `text` as a single line, regardless of its width.
pub(super) fn shape_line(text: &str, style: Style) -> anyhow::Result<Line> {
    let text = printable(text);
    let bidi = BidiInfo::new(&text, None);
    Paragraph { text: &text, bidi: &bidi, style }.shape(0..text.len())
}

/// Shapes `text` as lines of at most `width` points. Only a word that is wider than a line is broken.
pub(super) fn wrap(text: &str, style: Style, width: f32) -> anyhow::Result<Vec<Line>> {
    let text = printable(text);
    let bidi = BidiInfo::new(&text, None);
    let paragraph = Paragraph { text: &text, bidi: &bidi, style };
    let mut lines = Vec::new();
    let mut start = 0;
    let mut fits: Option<Line> = None;
    let mut end = 0;
    for (opportunity, _) in unicode_linebreak::linebreaks(&text) {
        loop {
            let candidate = paragraph.shape(start..opportunity)?;
            if candidate.width <= width {
                (fits, end) = (Some(candidate), opportunity);
                break;
            }
            match fits.take() {
                Some(line) => {
                    lines.push(line);
                    start = end;
                }
                None => {
                    let (line, broken_at) = paragraph.longest_prefix(start..opportunity, width)?;
                    if broken_at >= opportunity {
                        (fits, end) = (Some(line), opportunity);
                        break;
                    }
                    lines.push(line);
                    start = broken_at;
                }
            }
        }
    }
    lines.extend(fits);
    Ok(lines)
}

/// Normalizes to composed characters, which more fonts have, and replaces what must not be drawn.
pub(super) fn printable(text: &str) -> String {
    text.nfc().map(printable_char).collect()
}

/// Replaces line breaks, control characters and blank letters with spaces, and what has no meaning outside of
/// the sender's software with U+FFFD: PDF/A-2a forbids private use (ISO 19005-2 §6.2.11.7.3), and text may not
/// be mapped to U+FEFF or U+FFFE (§6.2.11.7.2).
fn printable_char(c: char) -> char {
    match c {
        '\u{2028}' | '\u{2029}' | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' => ' ',
        // The word joiner has taken over the meaning of U+FEFF within a text.
        '\u{feff}' => '\u{2060}',
        '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}' => REPLACEMENT,
        c if c.is_control() => ' ',
        c if is_noncharacter(c) => REPLACEMENT,
        c => c,
    }
}

/// Whether Unicode never assigns `c` (<https://www.unicode.org/faq/private_use.html#noncharacters>).
fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
}

struct Paragraph<'a> {
    text: &'a str,
    bidi: &'a BidiInfo<'a>,
    style: Style,
}

impl Paragraph<'_> {
    /// Shapes the longest prefix of `range` that fits, at least one grapheme. Returns its end as well.
    fn longest_prefix(&self, range: Range<usize>, width: f32) -> anyhow::Result<(Line, usize)> {
        let ends = self.slice(&range).grapheme_indices(true).map(|(at, g)| range.start + at + g.len());
        let mut found: Option<(Line, usize)> = None;
        for end in ends {
            let line = self.shape(range.start..end)?;
            if found.is_some() && line.width > width {
                break;
            }
            found = Some((line, end));
        }
        match found {
            Some(found) => Ok(found),
            None => Ok((self.shape(range.clone())?, range.end)),
        }
    }

    fn slice(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// Shapes a line, without its trailing whitespace.
    fn shape(&self, range: Range<usize>) -> anyhow::Result<Line> {
        let end = range.start + self.slice(&range).trim_end().len();
        let range = range.start..end.max(range.start);
        let mut line = Line {
            text: self.slice(&range).to_owned(),
            runs: Vec::new(),
            width: 0.0,
            size: self.style.size,
            has_replacements: self.slice(&range).contains(REPLACEMENT),
        };
        let Some(paragraph) = self.bidi.paragraphs.first().filter(|_| !range.is_empty()) else {
            return Ok(line);
        };
        let (levels, visual_runs) = self.bidi.visual_runs(paragraph, range.clone());
        for part in visual_runs {
            let is_ltr = levels.get(part.start).is_none_or(unicode_bidi::Level::is_ltr);
            let mut segments = self.segments(&part)?;
            if !is_ltr {
                segments.reverse();
            }
            for segment in segments {
                let offset = segment.range.start - range.start;
                let run = segment.shape(self.slice(&segment.range), offset, is_ltr, self.style)?;
                line.has_replacements |= run.is_replaced;
                line.width += run.width;
                line.runs.push(run);
            }
        }
        Ok(line)
    }

    /// Splits `range` into parts that a single font can draw, in logical order.
    fn segments(&self, range: &Range<usize>) -> anyhow::Result<Vec<Segment>> {
        let mut segments: Vec<Segment> = Vec::new();
        let mut start = range.start;
        let parts = self.slice(range).graphemes(true).flat_map(|cluster| divide(self.style.weight, cluster));
        for (length, drawing) in parts {
            let range = start..start + length;
            start = range.end;
            let face = match drawing {
                Drawing::With(face) => Some(face),
                Drawing::Nothing => match segments.last_mut() {
                    Some(last) => {
                        last.range.end = range.end;
                        continue;
                    }
                    None => Some(default_face(self.style.weight)?),
                },
                Drawing::Replacement => None,
            };
            match (segments.last_mut(), face) {
                (Some(Segment { face: Some(last), range: before }), Some(face))
                    if std::ptr::eq(*last, face) =>
                {
                    before.end = range.end;
                }
                _ => segments.push(Segment { face, range }),
            }
        }
        Ok(segments)
    }
}

/// How a part of a text is drawn.
#[derive(Clone, Copy)]
enum Drawing {
    With(&'static FontFace),
    /// It only affects what is around it.
    Nothing,
    /// No font has it.
    Replacement,
}

/// Divides a grapheme cluster into parts, given as their lengths in bytes. It is one part if a font has all of
/// it, or if no font has its base, like that of a family of emoji. Otherwise, its base is kept.
fn divide(weight: Weight, cluster: &str) -> Vec<(usize, Drawing)> {
    if cluster.chars().all(is_invisible) {
        return vec![(cluster.len(), Drawing::Nothing)];
    }
    if let Some(face) = face_for(weight, cluster) {
        return vec![(cluster.len(), Drawing::With(face))];
    }
    let mut parts: Vec<(usize, Drawing)> = Vec::new();
    for c in cluster.chars() {
        let has_base = parts.iter().any(|(_, drawing)| matches!(drawing, Drawing::With(_)));
        let drawing = if is_invisible(c) || has_base && is_decoration(c) {
            Drawing::Nothing
        } else {
            face_for(weight, c.encode_utf8(&mut [0; 4])).map_or(Drawing::Replacement, Drawing::With)
        };
        match (drawing, parts.last_mut()) {
            (Drawing::Replacement, _) if !has_base => return vec![(cluster.len(), Drawing::Replacement)],
            (Drawing::Replacement, Some((length, Drawing::Replacement))) => *length += c.len_utf8(),
            _ => parts.push((c.len_utf8(), drawing)),
        }
    }
    parts
}

/// Whether `c` makes a keycap of a digit, or sets the colour of an emoji's skin: its base means the same
/// without it.
fn is_decoration(c: char) -> bool {
    matches!(c, '\u{20e3}' | '\u{1f3fb}'..='\u{1f3ff}')
}

/// A part of a text. It is replaced if it has no font.
struct Segment {
    face: Option<&'static FontFace>,
    range: Range<usize>,
}

impl Segment {
    /// Shapes `text`, which starts at `offset` in its line.
    fn shape(&self, text: &str, offset: usize, is_ltr: bool, style: Style) -> anyhow::Result<Run> {
        if let Some(face) = self.face {
            let run = shape_run(face, text, false, offset, is_ltr, style.size)?;
            // Shaping may ask for a glyph that the text does not name, and krilla refuses to write a missing one.
            if run.glyphs.iter().all(|glyph| glyph.glyph_id.to_u32() != 0) {
                return Ok(run);
            }
        }
        shape_run(default_face(style.weight)?, text, true, offset, is_ltr, style.size)
    }
}

fn shape_run(
    face: &FontFace,
    text: &str,
    is_replaced: bool,
    offset: usize,
    is_ltr: bool,
    size: f32,
) -> anyhow::Result<Run> {
    let mut buffer = UnicodeBuffer::new();
    if is_replaced {
        buffer.add(REPLACEMENT, 0);
    } else {
        for (at, c) in text.char_indices().filter(|(_, c)| face.has(*c) || !is_left_out(*c)) {
            buffer.add(c, u32::try_from(at)?);
        }
    }
    buffer.guess_segment_properties();
    buffer.set_direction(if is_ltr { Direction::LeftToRight } else { Direction::RightToLeft });
    let shaped = face.shape(buffer);
    let mut starts: Vec<usize> =
        shaped.glyph_infos().iter().filter_map(|info| usize::try_from(info.cluster).ok()).collect();
    starts.sort_unstable();
    let unit = 1.0 / face.font.units_per_em();
    let mut width = 0.0;
    let glyphs = shaped.glyph_infos().iter().zip(shaped.glyph_positions()).map(|(info, position)| {
        let start = usize::try_from(info.cluster).unwrap_or_default();
        let next = starts.get(starts.partition_point(|other| *other <= start)).copied();
        let range = start..next.unwrap_or(text.len());
        width += font_units(position.x_advance) * unit * size;
        KrillaGlyph::new(
            GlyphId::new(info.glyph_id),
            font_units(position.x_advance) * unit,
            font_units(position.x_offset) * unit,
            font_units(position.y_offset) * unit,
            font_units(position.y_advance) * unit,
            range.start + offset..range.end + offset,
            None,
        )
    });
    let glyphs = glyphs.collect();
    Ok(Run { font: face.font.clone(), glyphs, width, is_replaced })
}

/// Whether `c` is not shaped unless the font has it: a decoration, or the one invisible character that
/// rustybuzz does not know to be one.
fn is_left_out(c: char) -> bool {
    is_decoration(c) || c == '\u{180f}'
}

/// Converts a length in font units, which is at most a few thousand.
fn font_units(units: i32) -> f32 {
    i16::try_from(units).map_or(0.0, f32::from)
}

#[cfg(test)]
mod tests;
