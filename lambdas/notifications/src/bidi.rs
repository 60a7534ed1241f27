//! Isolation of names from the text around them.
//!
//! A name can be in a script of the other direction. Without isolation, the punctuation and the numbers next
//! to it would be displayed on its wrong side ([UAX #9](https://www.unicode.org/reports/tr9/)). In plain text,
//! two control characters isolate it, in HTML the element `bdi`.

/// Isolates the text up to [`POP_DIRECTIONAL_ISOLATE`], and gives it the direction of its first letter.
const FIRST_STRONG_ISOLATE: char = '\u{2068}';
const POP_DIRECTIONAL_ISOLATE: char = '\u{2069}';

/// Isolates `text` as plain text. Its own characters cannot end the isolation: those for embeddings, overrides and
/// isolates are removed, and those that end a line or paragraph are replaced by a space.
pub(crate) fn isolate(text: &str) -> String {
    let is_directional = |c: &char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let ends_line = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let safe = text.chars().filter(|c| !is_directional(c)).map(|c| if ends_line(c) { ' ' } else { c });
    std::iter::once(FIRST_STRONG_ISOLATE).chain(safe).chain([POP_DIRECTIONAL_ISOLATE]).collect()
}

/// Replaces the characters of [`isolate`] in HTML by elements. Mail programs support these more widely.
pub(crate) fn to_elements(html: &str) -> String {
    html.replace(FIRST_STRONG_ISOLATE, "<bdi>").replace(POP_DIRECTIONAL_ISOLATE, "</bdi>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_isolation() {
        assert_eq!(isolate("Ada"), "\u{2068}Ada\u{2069}");
        assert_eq!(isolate("שרה"), "\u{2068}שרה\u{2069}");
        // A closing isolate, an override, and an isolate that is never closed.
        assert_eq!(isolate("A\u{2069}d\u{202e}a\u{2067}"), "\u{2068}Ada\u{2069}");
        assert_eq!(isolate("A\u{2029}B\nC\u{85}D"), "\u{2068}A B C D\u{2069}");
        // Marks do not reach beyond the name, and Persian and Indic words need their joiners.
        assert_eq!(isolate("\u{200f}می\u{200c}خواهم"), "\u{2068}\u{200f}می\u{200c}خواهم\u{2069}");
        assert_eq!(to_elements(&isolate("Ada &amp; Co")), "<bdi>Ada &amp; Co</bdi>");
    }
}
