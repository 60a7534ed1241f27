//! Segmentation of names: which words a name is found by.
//!
//! Between words, scripts such as Latin have spaces or hyphens, which people leave out or add: a name is also
//! found by its adjacent parts without them (`vanderberg`). Scripts such as Japanese or Thai have none, and in
//! Korean people search for parts of words: in these, each position of a name is an entry, the *gram* of the
//! characters from there, so that any part of the name is the start of an entry.

use std::collections::BTreeSet;

use unicode_script::{Script, UnicodeScript};

use crate::text;

/// The character after the first one of a gram, which words do not contain. It keeps grams apart from words:
/// their postings share a partition by their first character, so that a single one can be searched for.
const GRAM_MARK: char = '*';
/// The maximum number of characters in a gram. Most names and compounds fit, and the entries stay small.
const MAX_GRAM_CHARS: usize = 4;
/// The maximum length of joined parts in bytes; the rest is ignored.
const MAX_JOINED_BYTES: usize = 32;

/// A part of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Segment<'a> {
    /// A part in scripts that separate words.
    Spaced(&'a str),
    /// Adjacent characters of scripts that do not, or whose words are searched for by parts.
    Unspaced(&'a str),
}

impl<'a> Segment<'a> {
    fn is_spaced(self) -> bool {
        matches!(self, Self::Spaced(_))
    }

    /// Returns the text.
    pub(crate) fn as_str(self) -> &'a str {
        match self {
            Self::Spaced(text) | Self::Unspaced(text) => text,
        }
    }
}

/// Returns whether a character belongs to a script that does not separate words, or to Hangul.
pub(crate) fn is_unspaced(letter: char) -> bool {
    let is_listed = |script: Script| {
        matches!(
            script,
            Script::Han
                | Script::Hiragana
                | Script::Katakana
                | Script::Bopomofo
                | Script::Hangul
                | Script::Yi
                | Script::Thai
                | Script::Lao
                | Script::Khmer
                | Script::Myanmar
                | Script::Tibetan
                | Script::Tai_Le
                | Script::New_Tai_Lue
                | Script::Tai_Tham
                | Script::Tai_Viet
                | Script::Balinese
                | Script::Javanese
        )
    };
    match letter.script() {
        // The length mark of ダージリン is common to Hiragana and Katakana.
        Script::Common | Script::Inherited => {
            let scripts = letter.script_extension();
            !scripts.is_common() && !scripts.is_inherited() && scripts.iter().all(is_listed)
        }
        script => is_listed(script),
    }
}

/// Splits a normalised word into segments.
pub(crate) fn segments(word: &str) -> Vec<Segment<'_>> {
    let mut segments = Vec::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let kind = is_unspaced(first);
        let end = rest.find(|letter| is_unspaced(letter) != kind).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        rest = after;
        if kind {
            segments.push(Segment::Unspaced(run));
        } else {
            segments.extend(text::parts(run).map(Segment::Spaced));
        }
    }
    segments
}

/// Returns all words that a name is found by.
pub fn name_words(name: &str) -> BTreeSet<String> {
    let words = text::words(name);
    let all: Vec<Segment<'_>> = words.iter().flat_map(|word| segments(word)).collect();
    let mut found: BTreeSet<String> = words.iter().cloned().collect();
    for adjacent in all.chunk_by(|one, next| one.is_spaced() == next.is_spaced()) {
        let texts: Vec<&str> = adjacent.iter().map(|segment| segment.as_str()).collect();
        if adjacent.first().is_some_and(|segment| segment.is_spaced()) {
            found.extend(texts.iter().map(|part| (*part).to_owned()));
            found.extend((0..texts.len()).filter_map(|start| texts.get(start..)).map(joined));
        } else {
            let letters: Vec<char> = texts.concat().chars().collect();
            found.extend((0..letters.len()).filter_map(|start| letters.get(start..)).map(gram));
        }
    }
    found
}

/// Joins parts without separators.
pub(crate) fn joined(parts: &[&str]) -> String {
    text::truncated(&parts.concat(), MAX_JOINED_BYTES).to_owned()
}

/// Returns the gram of the first characters.
fn gram(letters: &[char]) -> String {
    let mut gram = String::new();
    for (number, letter) in letters.iter().take(MAX_GRAM_CHARS).enumerate() {
        gram.push(*letter);
        gram.extend((number == 0).then_some(GRAM_MARK));
    }
    gram
}

/// Returns whether a word is a gram.
pub(crate) fn is_gram(word: &str) -> bool {
    word.chars().nth(1) == Some(GRAM_MARK)
}

/// Returns grams that a name contains if it contains `text`: adjacent ones, of which the last overlaps.
pub(crate) fn query_grams(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let last = letters.len().saturating_sub(MAX_GRAM_CHARS);
    let starts = (0..last).step_by(MAX_GRAM_CHARS).chain([last]);
    starts.filter_map(|start| letters.get(start..)).map(gram).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_its_words_parts_and_grams() {
        for (name, expected) in [
            ("Ada", vec!["ada"]),
            ("Jan van der Berg", vec!["berg", "der", "derberg", "jan", "janvanderberg", "van", "vanderberg"]),
            (
                "Müller-Lüdenscheidt",
                vec!["ludenscheidt", "muller", "muller-ludenscheidt", "mullerludenscheidt"],
            ),
            ("田中太郎", vec!["中*太郎", "太*郎", "田*中太郎", "田中太郎", "郎*"]),
            ("田中 太郎", vec!["中*太郎", "太*郎", "太郎", "田*中太郎", "田中", "郎*"]),
            ("緑茶100g", vec!["100g", "緑*茶", "緑茶100g", "茶*"]),
            ("한국", vec!["국*", "한*국", "한국"]),
            ("", vec![]),
        ] {
            assert_eq!(name_words(name).into_iter().collect::<Vec<_>>(), expected, "{name}");
        }
    }

    #[test]
    fn scripts_without_spaces_are_recognised() {
        for letter in "緑々ひカーｱ한กກកက".chars() {
            assert!(is_unspaced(letter), "{letter}");
        }
        for letter in "aßж3-'.€अاא☕".chars() {
            assert!(!is_unspaced(letter), "{letter}");
        }
    }

    #[test]
    fn a_query_is_cut_into_grams_that_cover_it() {
        assert_eq!(query_grams("茶"), ["茶*"]);
        assert_eq!(query_grams("深蒸し緑"), ["深*蒸し緑"]);
        assert_eq!(query_grams("深蒸し緑茶"), ["深*蒸し緑", "蒸*し緑茶"]);
        assert_eq!(query_grams("静岡産深蒸し緑茶"), ["静*岡産深", "蒸*し緑茶"]);
    }
}
