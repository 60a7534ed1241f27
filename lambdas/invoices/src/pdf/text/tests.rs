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
        "সুমাইয়া রহমান",
        "ਗੁਰਪ੍ਰੀਤ ਸਿੰਘ",
        "નરેન્દ્ર પટેલ",
        "ଅଭିଜିତ ଦାସ",
        "முருகன் ஸ்ரீ",
        "వెంకటేశ్వర",
        "ಕೃಷ್ಣಮೂರ್ತಿ",
        "ശ്രീകുമാർ",
        "නිමල් ශ්‍රී පෙරේරා",
        "ສົມສັກ ວົງສາ",
        "សុខ សុភ័ក្ត្រ",
        "မောင်မောင်အေး",
        "މުޙައްމަދު",
        "ᐃᓄᒃᑎᑐᑦ",
        "ᏣᎳᎩ",
        "𠮷田 髙橋 﨑",
        "№ ½ → ★ ♥ ☎\u{fe0f} ✓ ㎡ ₹ ₩ ₫ ﷼",
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

/// What is drawn for `text`, with U+FFFD for what is replaced.
fn drawn(text: &str) -> String {
    let line = shape_line(text, STYLE).unwrap();
    assert!(glyphs(&line).iter().all(|glyph| *glyph != 0), "{text:?} has a .notdef");
    let replacement = default_face(Weight::Regular).unwrap().shaper.glyph_index(REPLACEMENT).unwrap().0;
    let mut shown = String::new();
    for run in &line.runs {
        // A character that is drawn with several glyphs is one.
        let mut glyphs = run.glyphs.clone();
        glyphs.dedup_by_key(|glyph| glyph.text_range.clone());
        for glyph in glyphs {
            let is_replacement = glyph.glyph_id.to_u32() == u32::from(replacement);
            shown.push_str(if is_replacement { "\u{fffd}" } else { &line.text[glyph.text_range] });
        }
    }
    assert_eq!(shown.contains(REPLACEMENT), line.has_replacements, "{text:?}");
    shown
}

#[test]
fn what_pdf_a_forbids_is_replaced() {
    for c in
        ['\u{f8ff}', '\u{f0b7}', '\u{f0000}', '\u{10fffd}', '\u{fffe}', '\u{ffff}', '\u{fdd0}', '\u{1fffe}']
    {
        assert_eq!(drawn(&format!("Ada {c} L")), "Ada \u{fffd} L", "{c:?}");
    }
    assert!(!shape_line("Ada\u{feff}Lovelace", STYLE).unwrap().text.contains('\u{feff}'));
    assert_eq!(drawn("a\u{3164}b\u{115f}c"), "a b c", "fillers are blank");
}

#[test]
fn a_base_is_kept_without_what_no_font_has() {
    for selector in ['\u{fe0e}', '\u{fe0f}', '\u{e0100}', '\u{e01ef}', '\u{180b}', '\u{180f}'] {
        assert_eq!(drawn(&format!("葛{selector}飾")), format!("葛{selector}飾"), "{selector:?}");
    }
    let (digit, keycap) = (shape_line("1", STYLE).unwrap(), shape_line("1\u{fe0f}\u{20e3}", STYLE).unwrap());
    assert_eq!((glyphs(&digit)[0], digit.width), (glyphs(&keycap)[0], keycap.width));
    assert_eq!(drawn("1\u{fe0f}\u{20e3} 2"), "1\u{fe0f}\u{20e3} 2");
    assert_eq!(drawn("☝\u{1f3fd}"), "☝\u{1f3fd}");
    assert_eq!(drawn("x\u{1abf0}"), "x\u{fffd}");
    assert_eq!(drawn("a\u{16ff0}\u{16ff1}b"), "a\u{fffd}b", "marks that no font has");
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
