//! The forms in which orders may be indexed by the words of a query.
//!
//! A word is looked up as it is typed, and in the other forms that the same name or total may have: joined
//! with its neighbours (`van der berg` for `Vanderberg`), as a total (`€12.50`), or as a part of a text without
//! spaces. An order matches a word if it matches one of its forms. The lookups of a query are limited: what
//! exceeds `MAX_FORMS` is left out.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::segment::{Segment, joined, query_grams, segments};
use crate::{amount, text};

/// The maximum number of different words in a query.
pub const MAX_WORDS: usize = 8;
/// The maximum number of words and parts of words that an order has to match: no word is left out, but the
/// later parts of long texts without spaces may be.
const MAX_PARTS: usize = MAX_WORDS;
/// The maximum number of forms in a query, each of which costs reads.
const MAX_FORMS: usize = 16;
/// The maximum number of adjacent words of which each pair, triple and so on is also looked up as one word.
/// More are only joined as a whole.
const MAX_JOINED_WORDS: usize = 4;

/// A word of the query, or a part of one.
struct Part {
    /// The position of the word in the query.
    word: usize,
    /// The position of the part in the word.
    number: usize,
    forms: Vec<String>,
    /// Forms that are tried if the limit allows.
    further_forms: Vec<String>,
}

/// Returns the forms of each word of a query.
pub(crate) fn parse(query: &str) -> Vec<Vec<String>> {
    let words = text::words(query);
    let mut parts: Vec<Part> =
        words.iter().enumerate().flat_map(|(number, word)| parts_of(number, word)).collect();
    let mut known = BTreeSet::new();
    parts.retain(|part| known.insert(part.forms.clone()));
    parts.sort_by_key(|part| part.number);
    parts.truncate(MAX_PARTS);

    let mut forms: BTreeSet<String> = parts.iter().flat_map(|part| part.forms.clone()).collect();
    let mut is_within_limit =
        |form: &String| forms.contains(form) || (forms.len() < MAX_FORMS && forms.insert(form.clone()));
    for (range, form) in shared_forms(&words) {
        if is_within_limit(&form) {
            for part in parts.iter_mut().filter(|part| range.contains(&part.word)) {
                part.forms.push(form.clone());
            }
        }
    }
    for part in &mut parts {
        part.further_forms.retain(|form| !part.forms.contains(form) && is_within_limit(form));
        part.forms.append(&mut part.further_forms);
    }
    parts.into_iter().map(|part| part.forms).collect()
}

/// Splits a word where it changes between scripts with and without spaces, and the latter into grams. An
/// exact match of the whole word ranks higher.
fn parts_of(word_number: usize, word: &str) -> Vec<Part> {
    let segments = segments(word);
    let is_spaced = segments.iter().all(|segment| matches!(segment, Segment::Spaced(_)));
    let parts: Vec<(String, Vec<String>)> = if is_spaced {
        vec![(word.to_owned(), Vec::new())]
    } else {
        segments
            .into_iter()
            .flat_map(|segment| match segment {
                Segment::Spaced(part) => vec![(part.to_owned(), vec![word.to_owned()])],
                Segment::Unspaced(run) => {
                    let mut whole = vec![word.to_owned(), run.to_owned()];
                    whole.dedup();
                    query_grams(run).into_iter().map(|gram| (gram, whole.clone())).collect()
                }
            })
            .collect()
    };
    let part = |(number, (form, further_forms))| Part {
        word: word_number,
        number,
        forms: vec![form],
        further_forms,
    };
    parts.into_iter().enumerate().map(part).collect()
}

/// Returns the forms that several words have together, and the positions of these words.
fn shared_forms(words: &[String]) -> Vec<(Range<usize>, String)> {
    let mut shared: Vec<(Range<usize>, String)> = Vec::new();
    for amount in amount::find_all(words) {
        shared.extend(amount.forms.into_iter().map(|form| (amount.words.clone(), form)));
    }
    let mut start = 0_usize;
    for run in words.chunk_by(|one, next| is_name(one) == is_name(next)) {
        let end = start.saturating_add(run.len());
        if run.first().is_some_and(|word| is_name(word)) {
            let is_joined =
                |length: &usize| run.len() <= MAX_JOINED_WORDS || *length == run.len() || *length == 1;
            for length in (1..=run.len()).rev().filter(is_joined) {
                for (offset, some) in run.windows(length).enumerate() {
                    let parts: Vec<&str> = some.iter().flat_map(|word| text::parts(word)).collect();
                    let form = joined(&parts);
                    // Of a long word, only the start is joined with others.
                    let is_other = !parts.is_empty() && some.first() != Some(&form);
                    if parts.len() > 1 || (length == 1 && is_other) {
                        let first = start.saturating_add(offset);
                        shared.push((first..first.saturating_add(length), form));
                    }
                }
            }
        }
        start = end;
    }
    shared
}

/// Returns whether a word may be part of a name that is also written as one word: not an address, a number
/// with a fraction, an id, or in a script without spaces.
fn is_name(word: &str) -> bool {
    let has_digits = word.contains(|letter: char| letter.is_ascii_digit());
    let is_code = word.contains(['@', '_', '+']) || (has_digits && word.contains(['-', '.', '\'']));
    !is_code && segments(word).iter().all(|segment| matches!(segment, Segment::Spaced(_)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_forms_of_a_query() {
        for (query, expected) in [
            ("ada", vec![vec!["ada"]]),
            ("Ada tea-001", vec![vec!["ada"], vec!["tea-001"]]),
            ("ada@example.com", vec![vec!["ada@example.com"]]),
            ("O´Brien", vec![vec!["o'brien", "obrien"]]),
            ("van der", vec![vec!["van", "vander"], vec!["der", "vander"]]),
            ("12.50 EUR", vec![vec!["12.50", "12.50eur"], vec!["eur", "12.50eur"]]),
            ("太郎", vec![vec!["太*郎", "太郎"]]),
            ("茶", vec![vec!["茶*", "茶"]]),
            ("深蒸し緑茶", vec![vec!["深*蒸し緑", "深蒸し緑茶"], vec!["蒸*し緑茶", "深蒸し緑茶"]]),
            ("Tシャツ", vec![vec!["t", "tシャツ"], vec!["シ*ャツ", "tシャツ", "シャツ"]]),
            ("", vec![]),
        ] {
            assert_eq!(parse(query), expected, "{query}");
        }
        let names = parse("Jan van der Berg");
        let forms: BTreeSet<&String> = names.iter().flatten().collect();
        assert_eq!(forms.len(), 10);
        assert_eq!(names[2], ["der", "janvanderberg", "janvander", "vanderberg", "vander", "derberg"]);
        assert_eq!(parse("a b c d e")[0], ["a", "abcde"]);
    }

    proptest! {
        #[test]
        fn the_lookups_of_a_query_are_limited(query in ".{0,200}|[a-d茶緑กข .0-9'-]{0,200}") {
            let forms = parse(&query);
            let distinct: BTreeSet<&String> = forms.iter().flatten().collect();
            prop_assert!(forms.len() <= MAX_PARTS && distinct.len() <= MAX_FORMS, "{forms:?}");
            prop_assert_eq!(forms.is_empty(), text::words(&query).is_empty());
            prop_assert!(forms.iter().flatten().all(|form| !form.is_empty()));
        }
    }
}
