//! How postings are named.
//!
//! | | partition | sort |
//! |---|---|---|
//! | a word | `all#te` | `tea g 8204571069999999 01a207e7-…` |
//! | an order in its audience's list | `all` | `8204571069999999 01a207e7-…` |
//!
//! A space is less than all that words are made of, so `tea` comes before `teapot`. The time counts down, so the newest
//! comes first.

use std::fmt;

use domain::OrderId;
use jiff::Timestamp;

use crate::document::{Audience, Document};
use crate::query::Position;
use crate::term::{Field, Term, Wanted};

/// Microseconds from 1970 to the year 2286: what times are counted down from, in 16 digits.
const END_OF_TIME: i64 = 9_999_999_999_999_999;
/// What no word of a key goes beyond.
const LAST_LETTER: char = '\u{10ffff}';

/// A row that is nothing but its key. It may hold a person's name, so it does not print.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Posting {
    /// The audience, and the first two letters of the word.
    pub partition: String,
    /// The word, its field, the time and the order.
    pub sort: String,
}

impl fmt::Debug for Posting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Posting(redacted, {:?})", self.order().map(|position| position.order_id))
    }
}

impl Posting {
    /// Where an order stands in the list of all that an audience may see.
    pub(super) fn of_list(audience: &Audience, document: &Document) -> Self {
        Self { partition: audience.to_string(), sort: place(document.placed_at, document.order_id) }
    }

    /// Where an order stands under a word.
    pub(super) fn of_term(audience: &Audience, term: &Term, document: &Document) -> Self {
        let place = place(document.placed_at, document.order_id);
        Self {
            partition: partition(audience, &term.word),
            sort: format!("{} {} {place}", term.word, term.field.letter()),
        }
    }

    /// The order, with its place among those of the same rank, which is 0 here. `None` for a key that is none of ours.
    pub(super) fn order(&self) -> Option<Position> {
        let mut parts = self.sort.rsplitn(3, ' ');
        let order_id = parts.next()?.parse().ok()?;
        let placed_at = END_OF_TIME.checked_sub(parts.next()?.parse().ok()?)?;
        Some(Position { rank: 0, placed_at, order_id })
    }

    /// The word and the field that it was found in; `None` in a list.
    pub(super) fn term(&self) -> Option<Term> {
        let rest = self.sort.rsplitn(3, ' ').nth(2)?;
        let (word, letter) = rest.rsplit_once(' ')?;
        let field = crate::term::Field::of_letter(letter.chars().next()?)?;
        Some(Term { field, word: word.to_owned() })
    }
}

fn partition(audience: &Audience, word: &str) -> String {
    let start: String = word.chars().take(2).collect();
    format!("{audience}#{start}")
}

fn countdown(placed_at: i64) -> i64 {
    END_OF_TIME.saturating_sub(placed_at).clamp(0, END_OF_TIME)
}

fn place(placed_at: Timestamp, order: OrderId) -> String {
    format!("{:016} {order}", countdown(placed_at.as_microsecond()))
}

/// Neighbouring postings: those of one partition whose `sort` is from `first` to `last`.
#[derive(Clone, PartialEq, Eq)]
pub struct Range {
    /// The partition.
    pub partition: String,
    /// The least that is in it.
    pub first: String,
    /// The greatest that is in it.
    pub last: String,
}

impl Range {
    /// All that has a word in it, or one that starts with it.
    pub(super) fn of_word(audience: &Audience, word: &Wanted) -> Self {
        let text = word.as_str();
        let first = if word.is_prefix() { text.to_owned() } else { format!("{text} ") };
        Self { partition: partition(audience, text), last: format!("{first}{LAST_LETTER}"), first }
    }

    /// All that has a word in a field, and was placed from `from` on and earlier than `before`: a microsecond more, as keys
    /// have no nanoseconds.
    pub(super) fn of_field(
        audience: &Audience,
        word: &Wanted,
        field: Field,
        from: Option<Timestamp>,
        before: Option<Timestamp>,
    ) -> Self {
        let start = format!("{} {}", word.as_str(), field.letter());
        let newest = before.map_or(0, |before| countdown(before.as_microsecond()));
        let oldest = countdown(from.map_or(0, Timestamp::as_microsecond));
        Self {
            partition: partition(audience, word.as_str()),
            first: format!("{start} {newest:016}"),
            last: format!("{start} {:016} {LAST_LETTER}", oldest.max(newest)),
        }
    }

    /// All orders of an audience that were placed from `from` on and earlier than `before`, behind `after`. `None`
    /// where there can be none.
    pub(super) fn of_list(
        audience: &Audience,
        from: Option<Timestamp>,
        before: Option<Timestamp>,
        after: Option<&Position>,
    ) -> Option<Self> {
        let newest = before.map(|before| countdown(before.as_microsecond()));
        // A time with nanoseconds is a little later than its key says: the filter looks once more.
        let oldest = countdown(from.map_or(0, Timestamp::as_microsecond));
        let mut first = format!("{:016}", newest.unwrap_or_default());
        if let Some(after) = after {
            // The least text that is greater than the key.
            let behind = format!("{:016} {}\u{1}", countdown(after.placed_at), after.order_id);
            first = first.max(behind);
        }
        let last = format!("{oldest:016} {LAST_LETTER}");
        (first <= last).then(|| Self { partition: audience.to_string(), first, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(sort: &str) -> Posting {
        Posting { partition: "all".to_owned(), sort: sort.to_owned() }
    }

    #[test]
    fn keys_are_read_as_they_were_written() {
        let id = "01a207e7-51d0-774b-bcce-b302099a8057";
        let posting = key(&format!("tea g 8204571069999999 {id}"));
        let order = posting.order().unwrap();
        assert_eq!((order.placed_at, order.order_id.to_string().as_str()), (1_795_428_930_000_000, id));
        assert_eq!(posting.term(), Some(Term { field: Field::ProductName, word: "tea".to_owned() }));
        let listed = key(&format!("8204571069999999 {id}"));
        assert_eq!(listed.order(), Some(order));
        assert_eq!(listed.term(), None);
        for wrong in ["", "a", "a b c d", &format!("x {id}")] {
            assert_eq!(key(wrong).order(), None, "{wrong}");
        }
    }

    #[test]
    fn whole_words_and_new_orders_come_first() {
        let sorts = ["tea a 1 x", "tea g 1 x", "tea g 2 x", "tea-001 a 1 x", "teapot a 1 x", "teé a 1 x"];
        assert!(sorts.is_sorted());
        let word = Wanted::in_query("tea").pop_first().unwrap();
        let range = Range::of_word(&Audience::Everybody, &word);
        assert_eq!(range.partition, "all#te");
        let within = |sort: &&str| *sort >= range.first.as_str() && *sort <= range.last.as_str();
        assert_eq!(sorts.iter().filter(|sort| within(sort)).count(), 5);
    }
}
