//! What an order is found by, and how good a find is.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a word stands in an order. The best comes first: a find there ranks before one in those behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// The order's id.
    OrderId,
    /// The customer's e-mail address: all of it, what stands before the `@`, and the host.
    Email,
    /// The customer's id.
    CustomerId,
    /// The customer's name.
    CustomerName,
    /// What the order costs: `12.50`.
    Total,
    /// A product's SKU.
    Sku,
    /// A product's name.
    ProductName,
}

impl Field {
    /// All of them, the best first.
    pub const ALL: [Self; 7] = [
        Self::OrderId,
        Self::Email,
        Self::CustomerId,
        Self::CustomerName,
        Self::Total,
        Self::Sku,
        Self::ProductName,
    ];

    /// 1 to 7.
    fn weight(self) -> u32 {
        match self {
            Self::OrderId => 7,
            Self::Email => 6,
            Self::CustomerId => 5,
            Self::CustomerName => 4,
            Self::Total => 3,
            Self::Sku => 2,
            Self::ProductName => 1,
        }
    }

    /// A letter that stands for it in keys, and sorts as it does.
    pub fn letter(self) -> char {
        match self {
            Self::OrderId => 'a',
            Self::Email => 'b',
            Self::CustomerId => 'c',
            Self::CustomerName => 'd',
            Self::Total => 'e',
            Self::Sku => 'f',
            Self::ProductName => 'g',
        }
    }

    /// The field that a letter stands for.
    pub fn of_letter(letter: char) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.letter() == letter)
    }
}

/// A word in a field of an order. It may be a person's name, so it does not print.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Term {
    /// Where it stands.
    pub field: Field,
    /// The word, as [`crate::text::words`] makes it.
    pub word: String,
}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}(redacted)", self.field)
    }
}

/// As it is kept: the field's letter, then the word.
impl From<Term> for String {
    fn from(term: Term) -> Self {
        format!("{}{}", term.field.letter(), term.word)
    }
}

/// A text that is no term.
#[derive(Debug, thiserror::Error)]
#[error("a term without a field")]
pub struct NoTerm;

impl TryFrom<String> for Term {
    type Error = NoTerm;
    fn try_from(text: String) -> Result<Self, NoTerm> {
        let mut letters = text.chars();
        let field = letters.next().and_then(Field::of_letter).ok_or(NoTerm)?;
        Ok(Self { field, word: letters.as_str().to_owned() })
    }
}

/// A word that is looked for. One of two letters and more is found wherever a word starts with it; one of a single
/// letter only where that is all of the word.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wanted(String);

impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wanted(redacted)")
    }
}

impl Wanted {
    /// The words of a query, each once.
    pub fn in_query(query: &str) -> BTreeSet<Self> {
        crate::text::words(query).into_iter().map(Self).collect()
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether other words that start with it count.
    pub fn is_prefix(&self) -> bool {
        self.0.chars().nth(1).is_some()
    }

    /// How good a find `term` is, if it is one: the field's weight counts first, and within a field all of a word
    /// before the start of one.
    pub fn score(&self, term: &Term) -> Option<u32> {
        let whole = term.word == self.0;
        let found = whole || (self.is_prefix() && term.word.starts_with(&self.0));
        found.then(|| term.field.weight() * 2 + u32::from(whole))
    }
}

/// A find: how good it is, and where the words were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Match {
    /// The sum over all words of each one's best.
    pub rank: u32,
    /// Every field that any of the words was found in.
    pub fields: BTreeSet<Field>,
}

impl Match {
    /// Finds all of the words among an order's terms, or nothing.
    pub fn of(words: &BTreeSet<Wanted>, terms: &BTreeSet<Term>) -> Option<Self> {
        let mut found = Self::default();
        for word in words {
            let mut best = None;
            for term in terms {
                if let Some(score) = word.score(term) {
                    best = best.max(Some(score));
                    found.fields.insert(term.field);
                }
            }
            found.rank = found.rank.saturating_add(best?);
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(of: &[(Field, &str)]) -> BTreeSet<Term> {
        of.iter().map(|(field, word)| Term { field: *field, word: (*word).to_owned() }).collect()
    }

    #[test]
    fn fields_weigh_before_wholeness_and_all_words_count() {
        let rank = |query: &str, of: &[(Field, &str)]| {
            Match::of(&Wanted::in_query(query), &terms(of)).map(|found| found.rank)
        };
        let ordered = [
            rank("ada", &[(Field::Email, "ada")]),
            rank("ada", &[(Field::Email, "adam")]),
            rank("ada", &[(Field::CustomerName, "ada"), (Field::ProductName, "ada")]),
            rank("ada", &[(Field::CustomerName, "adam"), (Field::ProductName, "ada")]),
            rank("ada", &[(Field::ProductName, "ada")]),
            rank("ada", &[(Field::ProductName, "adam")]),
            rank("ada", &[(Field::ProductName, "cicada")]),
        ];
        assert!(ordered.is_sorted_by(|one, next| one > next), "{ordered:?}");
        assert_eq!(ordered.last(), Some(&None));
        assert_eq!(rank("ada tea", &[(Field::CustomerName, "ada")]), None);
        assert_eq!(rank("a", &[(Field::CustomerName, "ada")]), None);
        assert!(rank("a", &[(Field::CustomerName, "a")]).is_some());
    }

    #[test]
    fn letters_stand_for_fields_and_sort_as_they_do() {
        let letters: Vec<char> = Field::ALL.iter().map(|field| field.letter()).collect();
        assert!(letters.is_sorted() && Field::ALL.is_sorted());
        assert!(Field::ALL.is_sorted_by(|one, next| one.weight() > next.weight()));
        for field in Field::ALL {
            assert_eq!(Field::of_letter(field.letter()), Some(field));
        }
        let term = Term { field: Field::Sku, word: "tea-001".to_owned() };
        assert_eq!(Term::try_from(String::from(term.clone())).unwrap(), term);
        assert!(Term::try_from(String::new()).is_err() && Term::try_from("?x".to_owned()).is_err());
        assert!(!format!("{term:?}").contains("tea"));
    }
}
