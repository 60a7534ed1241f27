//! Splits text into words, in the same way for indexed text and for queries.

use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

/// The maximum length of a word in bytes; the rest is ignored. An e-mail address fits, and the word fits into
/// a DynamoDB sort key (1,024 bytes).
pub const MAX_WORD_BYTES: usize = 256;

/// The characters that join parts into one word: `jean-luc`, `o'brien`, `tea-001`, `ada@example.com`,
/// `12.50`.
const JOINERS: &str = "-._@+'";

/// Normalises text for comparison: compatibility forms are unified (NFKC), letters are lower-cased, and
/// accents and invisible characters are removed. Idempotent.
pub fn normalise(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.nfkd().filter(|letter| !is_ignored(*letter)).flat_map(char::to_lowercase) {
        match fold(letter) {
            Some(folded) => plain.push_str(folded),
            None => plain.push(letter),
        }
    }
    plain.nfkd().filter(|letter| !is_ignored(*letter)).nfc().collect()
}

/// Returns whether a character is a combining accent of Latin, Greek or Cyrillic, or has no width. The
/// accents have Unicode blocks of their own. Vowel signs of other scripts are combining marks as well, and
/// are kept.
fn is_ignored(letter: char) -> bool {
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

/// Folds letters that do not decompose into a base letter and an accent, and the variants of apostrophe and
/// hyphen.
fn fold(letter: char) -> Option<&'static str> {
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

/// Splits a text into normalised words. Parts joined by one of `-._@+'` are one word.
pub fn words(text: &str) -> Vec<String> {
    let text = replace_decimal_commas(&normalise(text));
    let words = text.split(is_separator).map(|word| word.trim_matches(|letter| JOINERS.contains(letter)));
    words.filter(|word| !word.is_empty()).map(|word| truncated(word).to_owned()).collect()
}

/// Splits a word into parts that can be searched for on their own: `tea-001` is found by `001`. In scripts
/// without spaces, the word boundaries are those of Unicode Standard Annex 29.
pub fn parts(word: &str) -> impl Iterator<Item = &str> {
    word.split(|letter| JOINERS.contains(letter)).flat_map(str::unicode_words)
}

/// Replaces a comma between two digits by a point: `12,50` becomes `12.50`.
fn replace_decimal_commas(text: &str) -> String {
    let mut previous = None;
    let mut letters = text.chars().peekable();
    let mut result = String::with_capacity(text.len());
    while let Some(letter) = letters.next() {
        let is_between_digits = previous.is_some_and(|it: char| it.is_ascii_digit())
            && letters.peek().is_some_and(char::is_ascii_digit);
        result.push(if letter == ',' && is_between_digits { '.' } else { letter });
        previous = Some(letter);
    }
    result
}

/// Truncates a word to [`MAX_WORD_BYTES`] at a character boundary.
fn truncated(word: &str) -> &str {
    word.get(..word.floor_char_boundary(MAX_WORD_BYTES)).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn similar_spellings_are_normalised_to_the_same_text() {
        for (text, expected) in [
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
            assert_eq!(normalise(text), expected, "{text}");
        }
    }

    #[test]
    fn text_is_split_into_words_and_parts() {
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
        fn normalising_is_idempotent(text in any::<String>()) {
            let once = normalise(&text);
            prop_assert_eq!(normalise(&once), once);
        }

        #[test]
        fn words_are_bounded_and_contain_no_separator(text in ".{0,400}") {
            for word in words(&text) {
                prop_assert!(!word.is_empty() && word.len() <= MAX_WORD_BYTES);
                prop_assert!(!word.contains(is_separator), "{word:?}");
                for part in parts(&word) {
                    prop_assert!(!part.is_empty() && !part.contains(' '));
                }
            }
        }
    }
}
