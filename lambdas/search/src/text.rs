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
/// accents and invisible characters are removed. Spellings of the same name that keyboards and word processors
/// produce become one: apostrophes, hyphens, digits of other scripts, letters such as `ß` and `ø`. Idempotent.
pub fn normalise(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let letters = text.chars().map(|letter| if is_spacing_accent(letter) { '\'' } else { letter });
    for letter in letters.nfkd().filter(|letter| !is_ignored(*letter)).flat_map(char::to_lowercase) {
        match fold(letter) {
            Some(folded) => plain.push_str(folded),
            None => plain.push(ascii_digit(letter).unwrap_or(letter)),
        }
    }
    plain.nfkd().filter(|letter| !is_ignored(*letter)).nfc().collect()
}

/// Returns whether an accent that stands alone is typed for an apostrophe: `O´Brien`. NFKD would replace it
/// by a space.
fn is_spacing_accent(letter: char) -> bool {
    matches!(letter, '\u{b4}' | '\u{1fbd}' | '\u{1fbf}' | '\u{1ffd}' | '\u{1ffe}')
}

/// Returns whether a character is a combining accent of Latin, Greek or Cyrillic, a vowel point of Arabic or
/// Hebrew, or has no appearance of its own: variation selectors, joiners, direction marks, fillers
/// (`Default_Ignorable_Code_Point`, Unicode Standard 5.21). Vowel signs of other scripts are combining marks
/// as well, and are kept.
fn is_ignored(letter: char) -> bool {
    matches!(
        letter,
        '\u{300}'..='\u{36f}'
            | '\u{1ab0}'..='\u{1aff}'
            | '\u{1dc0}'..='\u{1dff}'
            | '\u{20d0}'..='\u{20ff}'
            | '\u{fe20}'..='\u{fe2f}'
            // Hebrew and Arabic points, hamza above and below a letter, and the tatweel.
            | '\u{591}'..='\u{5bd}'
            | '\u{5bf}'
            | '\u{5c1}'..='\u{5c2}'
            | '\u{5c4}'..='\u{5c5}'
            | '\u{5c7}'
            | '\u{610}'..='\u{61a}'
            | '\u{640}'
            | '\u{64b}'..='\u{65f}'
            | '\u{670}'
            | '\u{6d6}'..='\u{6dc}'
            | '\u{6df}'..='\u{6e8}'
            | '\u{6ea}'..='\u{6ed}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Folds letters that do not decompose into a base letter and an accent, and the variants of apostrophe,
/// hyphen and separators of digits.
fn fold(letter: char) -> Option<&'static str> {
    Some(match letter {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'ħ' => "h",
        'ŧ' => "t",
        'ŋ' => "n",
        'þ' => "th",
        'ı' => "i",
        'ς' => "σ",
        'ٱ' => "ا",
        'ى' | 'ی' => "ي",
        'ک' => "ك",
        'ة' => "ه",
        '‘' | '’' | '‛' | '′' | '‵' | '`' | 'ʹ' | 'ʻ' | 'ʼ' | 'ʽ' | 'ʾ' | 'ʿ' | 'ˈ' | '՚' | '׳' | 'ꞌ'
        | '٬' => "'",
        '‐' | '‑' | '‒' | '–' | '⁃' | '−' | '˗' | '־' | '᠆' | '゠' => "-",
        '٫' => ".",
        _ => return None,
    })
}

/// Returns the ASCII digit for a digit of a script whose digits are in common use.
fn ascii_digit(letter: char) -> Option<char> {
    // The zeros of Arabic (two), Devanagari, Bengali, Gurmukhi, Gujarati, Tamil, Telugu, Kannada, Thai, Lao,
    // Myanmar and Khmer. The other digits follow each.
    const ZEROS: [u32; 13] =
        [0x660, 0x6f0, 0x966, 0x9e6, 0xa66, 0xae6, 0xbe6, 0xc66, 0xce6, 0xe50, 0xed0, 0x1040, 0x17e0];
    let value =
        ZEROS.iter().find_map(|zero| u32::from(letter).checked_sub(*zero).filter(|value| *value < 10));
    char::from_digit(value?, 10)
}

fn is_separator(letter: char) -> bool {
    letter.is_whitespace()
        || letter.is_control()
        || (letter.is_ascii_punctuation() && !JOINERS.contains(letter))
        // Without the letters among the CJK symbols, such as the 々 of 佐々木.
        || matches!(
            letter,
            '\u{2010}'..='\u{206f}'
                | '\u{3000}'..='\u{3004}'
                | '\u{3008}'..='\u{3020}'
                | '\u{3030}'
                | '\u{303d}'..='\u{303f}'
        )
        || matches!(letter, '¡' | '¿' | '«' | '»' | '·' | '§' | '¶' | '・' | '،' | '؛' | '؟' | '।' | '॥')
}

/// Splits a text into normalised words. Parts joined by one of `-._@+'` are one word.
pub fn words(text: &str) -> Vec<String> {
    let text = replace_decimal_commas(&normalise(text));
    let words = text.split(is_separator).map(|word| word.trim_matches(|letter| JOINERS.contains(letter)));
    words.filter(|word| !word.is_empty()).map(|word| truncated(word, MAX_WORD_BYTES).to_owned()).collect()
}

/// Splits a word into parts that can be searched for on their own: `tea-001` is found by `001`. The boundaries
/// are those of Unicode Standard Annex 29. It splits scripts without spaces into characters; see
/// [`crate::segment`] for these.
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

/// Truncates a word to at most `max_bytes` at a character boundary.
pub(crate) fn truncated(word: &str, max_bytes: usize) -> &str {
    word.get(..word.floor_char_boundary(max_bytes)).unwrap_or(word)
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
            ("ﾀﾞｰｼﾞﾘﾝ", "ダージリン"),
            ("葛\u{e0100}城 ☕\u{fe0f}", "葛城 ☕"),
            ("م\u{200c}ؤ\u{640}\u{64e}منة", "مومنه"),
            ("٣٤", "34"),
            ("A\u{2066}d\u{2060}a", "ada"),
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
            ("佐々木・ジョン、緑茶", vec!["佐々木", "ジョン", "緑茶"]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
        assert_eq!(parts("tea-001").collect::<Vec<_>>(), ["tea", "001"]);
        assert_eq!(parts("静岡").collect::<Vec<_>>(), ["静", "岡"]);
    }

    #[test]
    fn apostrophes_and_hyphens_of_all_sorts_are_equal() {
        for apostrophe in "'’‘‛´`ʼʻʹ′＇ꞌ\u{1ffd}\u{1fef}".chars() {
            assert_eq!(words(&format!("O{apostrophe}Brien")), ["o'brien"], "{apostrophe:?}");
        }
        for hyphen in "-‐‑‒–−⁃﹣－".chars() {
            assert_eq!(words(&format!("Jean{hyphen}Luc")), ["jean-luc"], "{hyphen:?}");
        }
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
