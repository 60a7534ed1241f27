//! Text shaping: font selection, bidirectional text (UAX #9), line breaking (UAX #14) and glyphs (rustybuzz).
//!
//! A character that no font has, such as an emoji, is drawn as U+FFFD and never as an empty box. Text that is
//! copied from the document contains the original character.

#![expect(clippy::float_arithmetic, reason = "lengths on paper, in points")]

use std::ops::Range;

use krilla::text::{Font, GlyphId, KrillaGlyph};
use rustybuzz::{Direction, UnicodeBuffer};
use unicode_bidi::BidiInfo;
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

use super::fonts::{FontFace, Weight, default_face, face_for_cluster};

/// The text that is drawn instead of a character that no font has.
const REPLACEMENT: &str = "\u{fffd}";

/// The style of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Style {
    /// In points.
    pub(super) size: f32,
    pub(super) weight: Weight,
}

/// Consecutive glyphs of one font.
#[derive(Clone)]
pub(super) struct Run {
    pub(super) font: Font,
    /// Their ranges refer to the text of the line.
    pub(super) glyphs: Vec<KrillaGlyph>,
    /// In points.
    pub(super) width: f32,
}

/// A shaped line.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) text: String,
    /// From left to right.
    pub(super) runs: Vec<Run>,
    /// In points.
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

/// Normalizes to composed characters, which more fonts have, and replaces line breaks and control characters
/// with spaces.
fn printable(text: &str) -> String {
    text.nfc().map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c }).collect()
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
            has_replacements: false,
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
                line.has_replacements |= segment.is_replaced;
                let offset = segment.range.start - range.start;
                let run = segment.shape(self.slice(&segment.range), offset, is_ltr, self.style.size);
                line.width += run.width;
                line.runs.push(run);
            }
        }
        Ok(line)
    }

    /// Splits `range` into parts that a single font can draw, in logical order.
    fn segments(&self, range: &Range<usize>) -> anyhow::Result<Vec<Segment>> {
        let mut segments: Vec<Segment> = Vec::new();
        for (at, cluster) in self.slice(range).grapheme_indices(true) {
            let at = range.start + at..range.start + at + cluster.len();
            let found = face_for_cluster(self.style.weight, cluster);
            let is_replaced = found.is_none();
            let face = match found {
                Some(face) => face,
                None => default_face(self.style.weight)?,
            };
            match segments.last_mut() {
                Some(last) if !is_replaced && !last.is_replaced && std::ptr::eq(last.face, face) => {
                    last.range.end = at.end;
                }
                _ => segments.push(Segment { face, range: at, is_replaced }),
            }
        }
        Ok(segments)
    }
}

struct Segment {
    face: &'static FontFace,
    range: Range<usize>,
    is_replaced: bool,
}

impl Segment {
    /// Shapes `text`, which starts at `offset` in its line.
    fn shape(&self, text: &str, offset: usize, is_ltr: bool, size: f32) -> Run {
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(if self.is_replaced { REPLACEMENT } else { text });
        buffer.guess_segment_properties();
        buffer.set_direction(if is_ltr { Direction::LeftToRight } else { Direction::RightToLeft });
        let shaped = rustybuzz::shape(&self.face.shaper, &[], buffer);
        let mut starts: Vec<usize> =
            shaped.glyph_infos().iter().filter_map(|info| usize::try_from(info.cluster).ok()).collect();
        starts.sort_unstable();
        let unit = 1.0 / self.face.font.units_per_em();
        let mut width = 0.0;
        let glyphs = shaped.glyph_infos().iter().zip(shaped.glyph_positions()).map(|(info, position)| {
            let start = usize::try_from(info.cluster).unwrap_or_default();
            let next = starts.get(starts.partition_point(|other| *other <= start)).copied();
            let range = if self.is_replaced { 0..text.len() } else { start..next.unwrap_or(text.len()) };
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
        Run { font: self.face.font.clone(), glyphs, width }
    }
}

/// Converts a length in font units, which is at most a few thousand.
fn font_units(units: i32) -> f32 {
    i16::try_from(units).map_or(0.0, f32::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: Style = Style { size: 10.0, weight: Weight::Regular };

    fn glyphs(line: &Line) -> Vec<u32> {
        line.runs.iter().flat_map(|run| run.glyphs.iter().map(|glyph| glyph.glyph_id.to_u32())).collect()
    }

    #[test]
    fn every_script_has_glyphs() {
        for text in [
            "Ådám Nguyễn Thị Ánh",
            "Ελένη Παπαδοπούλου",
            "Наталія Ґалаґан",
            "王小明 張偉",
            "さくら カタカナ 山田太郎",
            "김민준 박서연",
            "محمد علي",
            "שלום כהן",
            "ปิยะพงษ์",
            "प्रिया शर्मा",
            "Արմեն",
            "გიორგი",
        ] {
            for weight in [Weight::Regular, Weight::Bold] {
                let line = shape_line(text, Style { weight, ..STYLE }).unwrap();
                assert!(!line.has_replacements && line.width > 20.0, "{text}");
                assert!(glyphs(&line).iter().all(|glyph| *glyph != 0), "{text} has a .notdef");
            }
        }
    }

    #[test]
    fn a_missing_glyph_is_replaced_and_its_text_is_kept() {
        let line = shape_line("Ada 👩‍👩‍👧 😀", STYLE).unwrap();
        assert!(line.has_replacements && glyphs(&line).iter().all(|glyph| *glyph != 0));
        let replaced: Vec<&str> = line
            .runs
            .iter()
            .flat_map(|run| &run.glyphs)
            .filter_map(|glyph| line.text.get(glyph.text_range.clone()))
            .filter(|text| !text.is_ascii())
            .collect();
        assert_eq!(replaced, ["👩‍👩‍👧", "😀"], "a family is one character");
    }

    #[test]
    fn hebrew_runs_right_to_left_and_its_digits_left_to_right() {
        let line = shape_line("שלום 12", STYLE).unwrap();
        let order: String = line
            .runs
            .iter()
            .flat_map(|run| &run.glyphs)
            .filter_map(|glyph| line.text.get(glyph.text_range.clone()))
            .collect();
        assert_eq!(order, "12 םולש");
    }

    #[test]
    fn arabic_letters_join() {
        let (joined, apart) = (shape_line("محمد", STYLE).unwrap(), shape_line("م ح م د", STYLE).unwrap());
        let isolated: Vec<u32> = glyphs(&apart);
        assert!(glyphs(&joined).iter().filter(|glyph| isolated.contains(glyph)).count() < 4);
    }

    #[test]
    fn lines_break_between_words_or_else_within_a_word() {
        let lines = |text: &str, width| -> Vec<String> {
            let lines = wrap(text, STYLE, width).unwrap();
            assert!(lines.iter().all(|line| line.width <= width), "{text}");
            lines.into_iter().map(|line| line.text).collect()
        };
        assert_eq!(lines("one two three", 1000.0), ["one two three"]);
        assert_eq!(lines("one two three", 45.0), ["one two", "three"]);
        let long = "W".repeat(200);
        let broken = lines(&long, 100.0);
        assert!(broken.len() > 10 && broken.concat() == long);
        assert!(lines("王小明王小明王小明", 50.0).len() > 1, "Chinese breaks without spaces");
        assert_eq!(lines("", 100.0), Vec::<String>::new());
        assert_eq!(lines("a\u{2028}b", 100.0), ["a b"]);
        // A width less than one letter still results in one letter per line, and in termination.
        assert_eq!(wrap("WWW", STYLE, 1.0).unwrap().len(), 3);
    }
}
