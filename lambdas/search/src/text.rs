//! How text becomes words: the same for what is indexed and for what is looked for.

use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

/// The most bytes of a word that are looked at: an e-mail address fits, and a key of DynamoDB's takes it (1,024 bytes).
pub const LONGEST_WORD: usize = 256;

/// What joins parts into one word: `jean-luc`, `o'brien`, `tea-001`, `ada@example.com`, `12.50`.
const JOINERS: &str = "-._@+'";

/// Letters as they are compared: compatibility forms are one (NFKC), capitals are small, and neither accents nor what
/// is invisible counts. Doing it twice changes nothing.
pub fn normalised(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.nfkd().filter(|letter| !is_dropped(*letter)).flat_map(char::to_lowercase) {
        match spelled(letter) {
            Some(other) => plain.push_str(other),
            None => plain.push(letter),
        }
    }
    plain.nfkd().filter(|letter| !is_dropped(*letter)).nfc().collect()
}

/// Accents of Latin, Greek and Cyrillic, which stand in blocks of their own, and what has no width. The vowels of other
/// scripts are marks too, and stay.
fn is_dropped(letter: char) -> bool {
    matches!(
        letter,
        '\u{300}'..='\u{36f}'
            | '\u{1ab0}'..='\u{1aff}'
            | '\u{1dc0}'..='\u{1dff}'
            | '\u{20d0}'..='\u{20ff}'
            | '\u{fe20}'..='\u{fe2f}'
            | '\u{ad}'
            | '\u{200b}'..='\u{200f}'
            | '\u{feff}'
    )
}

/// Letters that are not an accent away from the one that a keyboard has, and signs that are typed in many ways.
fn spelled(letter: char) -> Option<&'static str> {
    Some(match letter {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ı' => "i",
        'ς' => "σ",
        '‘' | '’' | 'ʼ' => "'",
        '‐' | '‑' | '‒' | '–' => "-",
        _ => return None,
    })
}

fn is_separator(letter: char) -> bool {
    letter.is_whitespace()
        || letter.is_control()
        || (letter.is_ascii_punctuation() && !JOINERS.contains(letter))
        || matches!(letter, '\u{2010}'..='\u{206f}' | '\u{3000}'..='\u{303f}' | '¡' | '¿' | '«' | '»' | '·' | '§' | '¶')
}

/// The words of a text, as somebody would type them: split where nothing joins them.
pub fn words(text: &str) -> Vec<String> {
    let text = decimal_points(&normalised(text));
    let words = text.split(is_separator).map(|word| word.trim_matches(|letter| JOINERS.contains(letter)));
    words.filter(|word| !word.is_empty()).map(|word| shortened(word).to_owned()).collect()
}

/// The parts of a word that somebody may look for by themselves: `tea-001` is found by `001`. Where words stand
/// without spaces, the boundaries are those of Unicode Standard Annex 29.
pub fn parts(word: &str) -> impl Iterator<Item = &str> {
    word.split(|letter| JOINERS.contains(letter)).flat_map(str::unicode_words)
}

/// `12,50` is `12.50`.
fn decimal_points(text: &str) -> String {
    let mut before = None;
    let mut letters = text.chars().peekable();
    let mut made = String::with_capacity(text.len());
    while let Some(letter) = letters.next() {
        let between_digits = before.is_some_and(|it: char| it.is_ascii_digit())
            && letters.peek().is_some_and(char::is_ascii_digit);
        made.push(if letter == ',' && between_digits { '.' } else { letter });
        before = Some(letter);
    }
    made
}

/// The first [`LONGEST_WORD`] bytes, or a letter less.
fn shortened(word: &str) -> &str {
    word.get(..word.floor_char_boundary(LONGEST_WORD)).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_looks_alike_is_alike() {
        for (text, same) in [
            ("Müller", "muller"),
            ("MU\u{308}LLER", "muller"),
            ("Straße", "strasse"),
            ("ＴＥＡ", "tea"),
            ("İstanbul", "istanbul"),
            ("ΟΔΥΣΣΕΎΣ", "οδυσσευσ"),
            ("Łódź", "lodz"),
            ("O’Brien", "o'brien"),
            ("ﬁrst\u{ad}flush", "firstflush"),
            ("ガ", "ガ"),
            ("한국", "한국"),
            ("हिन्दी", "हिन्दी"),
        ] {
            assert_eq!(normalised(text), same, "{text}");
        }
    }

    #[test]
    fn words_are_what_people_type() {
        for (text, expected) in [
            ("Ada  Lovelace,", vec!["ada", "lovelace"]),
            ("TEA-001 (first flush)", vec!["tea-001", "first", "flush"]),
            ("<Ada@Example.com>", vec!["ada@example.com"]),
            ("12,50 €", vec!["12.50", "€"]),
            ("a,b 1, 2", vec!["a", "b", "1", "2"]),
            ("...", vec![]),
            ("Jean-Luc «l'été»", vec!["jean-luc", "l'ete"]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
        assert_eq!(parts("tea-001").collect::<Vec<_>>(), ["tea", "001"]);
        assert_eq!(parts("静岡").collect::<Vec<_>>(), ["静", "岡"]);
    }

    proptest! {
        #[test]
        fn once_is_enough(text in any::<String>()) {
            let once = normalised(&text);
            prop_assert_eq!(normalised(&once), once);
        }

        #[test]
        fn words_are_bounded_and_hold_no_separator(text in ".{0,400}") {
            for word in words(&text) {
                prop_assert!(!word.is_empty() && word.len() <= LONGEST_WORD);
                prop_assert!(!word.contains(is_separator), "{word:?}");
                for part in parts(&word) {
                    prop_assert!(!part.is_empty() && !part.contains(' '));
                }
            }
        }
    }
}
