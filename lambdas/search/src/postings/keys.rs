//! The keys of postings.
//!
//! | | partition | sort |
//! |---|---|---|
//! | a word | `all#te` | `tea g 8204571069999999 01a207e7-…` |
//! | an order in the list of an audience | `all` | `8204571069999999 01a207e7-…` |
//!
//! A space sorts before every character of a word, so `tea` precedes `teapot`. Times are counted down, so the
//! newest order comes first.

use std::fmt;

use domain::OrderId;
use jiff::Timestamp;

use crate::document::{Audience, Document};
use crate::query::Position;
use crate::term::{Field, Term, is_prefix};

/// The value that times are counted down from: the microseconds from 1970 to the year 2286, in 16 digits.
const COUNTDOWN_START: i64 = 9_999_999_999_999_999;
/// The greatest character: as the last character of a range, it is an upper bound of every key.
const MAX_CHAR: char = '\u{10ffff}';

/// A row that consists only of its key. It may contain personal data, so `Debug` redacts it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Posting {
    /// The audience, and the first two characters of the word.
    pub partition: String,
    /// The word, its field, the time of placement and the id of the order.
    pub sort: String,
}

impl fmt::Debug for Posting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Posting(redacted, {:?})", self.position().map(|position| position.order_id))
    }
}

impl Posting {
    /// The posting of an order in the list of all orders of an audience.
    pub(super) fn for_list(audience: &Audience, document: &Document) -> Self {
        Self { partition: audience.to_string(), sort: time_and_order(document.placed_at, document.order_id) }
    }

    /// The posting of an order under a term.
    pub(super) fn for_term(audience: &Audience, term: &Term, document: &Document) -> Self {
        let suffix = time_and_order(document.placed_at, document.order_id);
        Self {
            partition: partition(audience, &term.word),
            sort: format!("{} {} {suffix}", term.word, term.field.key_letter()),
        }
    }

    /// Returns the position of the order, with the rank 0, or `None` if the key is invalid.
    pub(super) fn position(&self) -> Option<Position> {
        let mut parts = self.sort.rsplitn(3, ' ');
        let order_id = parts.next()?.parse().ok()?;
        let placed_at = COUNTDOWN_START.checked_sub(parts.next()?.parse().ok()?)?;
        Some(Position { rank: 0, placed_at, order_id })
    }

    /// Returns the word and its field, or `None` for the posting of a list.
    pub(super) fn term(&self) -> Option<Term> {
        let rest = self.sort.rsplitn(3, ' ').nth(2)?;
        let (word, letter) = rest.rsplit_once(' ')?;
        let field = crate::term::Field::from_key_letter(letter.chars().next()?)?;
        Some(Term { field, word: word.to_owned() })
    }
}

fn partition(audience: &Audience, word: &str) -> String {
    let start: String = word.chars().take(2).collect();
    format!("{audience}#{start}")
}

fn countdown(placed_at: i64) -> i64 {
    COUNTDOWN_START.saturating_sub(placed_at).clamp(0, COUNTDOWN_START)
}

fn time_and_order(placed_at: Timestamp, order: OrderId) -> String {
    format!("{:016} {order}", countdown(placed_at.as_microsecond()))
}

/// A range of adjacent postings: those of one partition whose `sort` is between `first` and `last`,
/// inclusive.
#[derive(Clone, PartialEq, Eq)]
pub struct Range {
    /// The partition key.
    pub partition: String,
    /// The lower bound of the sort key, inclusive.
    pub first: String,
    /// The upper bound of the sort key, inclusive.
    pub last: String,
}

impl Range {
    /// The postings of a form of a query word, which include all words that start with it if it [matches by
    /// prefix](is_prefix).
    pub(super) fn for_form(audience: &Audience, form: &str) -> Self {
        let first = if is_prefix(form) { form.to_owned() } else { format!("{form} ") };
        Self { partition: partition(audience, form), last: format!("{first}{MAX_CHAR}"), first }
    }

    /// The postings of exactly this word in one field, for orders placed at or after `from` and before
    /// `before`. Keys have no nanoseconds, so the range includes up to a microsecond more.
    pub(super) fn for_field(
        audience: &Audience,
        word: &str,
        field: Field,
        from: Option<Timestamp>,
        before: Option<Timestamp>,
    ) -> Self {
        let start = format!("{word} {}", field.key_letter());
        let newest = before.map_or(0, |before| countdown(before.as_microsecond()));
        let oldest = countdown(from.map_or(0, Timestamp::as_microsecond));
        Self {
            partition: partition(audience, word),
            first: format!("{start} {newest:016}"),
            last: format!("{start} {:016} {MAX_CHAR}", oldest.max(newest)),
        }
    }

    /// The list of an audience's orders placed at or after `from` and before `before`, starting after
    /// `after`. `None` if the range is empty.
    pub(super) fn for_list(
        audience: &Audience,
        from: Option<Timestamp>,
        before: Option<Timestamp>,
        after: Option<&Position>,
    ) -> Option<Self> {
        let newest = before.map(|before| countdown(before.as_microsecond()));
        // Keys truncate nanoseconds, so the range is slightly too wide: the filter checks the exact time.
        let oldest = countdown(from.map_or(0, Timestamp::as_microsecond));
        let mut first = format!("{:016}", newest.unwrap_or_default());
        if let Some(after) = after {
            // Sorts directly after the key, because ids contain no control characters.
            let successor = format!("{:016} {}\u{1}", countdown(after.placed_at), after.order_id);
            first = first.max(successor);
        }
        let last = format!("{oldest:016} {MAX_CHAR}");
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
    fn keys_are_parsed_into_position_and_term() {
        let id = "01a207e7-51d0-774b-bcce-b302099a8057";
        let posting = key(&format!("tea g 8204571069999999 {id}"));
        let order = posting.position().unwrap();
        assert_eq!((order.placed_at, order.order_id.to_string().as_str()), (1_795_428_930_000_000, id));
        assert_eq!(posting.term(), Some(Term { field: Field::ProductName, word: "tea".to_owned() }));
        let listed = key(&format!("8204571069999999 {id}"));
        assert_eq!(listed.position(), Some(order));
        assert_eq!(listed.term(), None);
        for wrong in ["", "a", "a b c d", &format!("x {id}")] {
            assert_eq!(key(wrong).position(), None, "{wrong}");
        }
    }

    #[test]
    fn exact_words_and_new_orders_sort_first() {
        let sorts = ["tea a 1 x", "tea g 1 x", "tea g 2 x", "tea-001 a 1 x", "teapot a 1 x", "teé a 1 x"];
        assert!(sorts.is_sorted());
        let range = Range::for_form(&Audience::All, "tea");
        assert_eq!(range.partition, "all#te");
        let is_within = |sort: &&str| *sort >= range.first.as_str() && *sort <= range.last.as_str();
        assert_eq!(sorts.iter().filter(|sort| is_within(sort)).count(), 5);
    }
}
