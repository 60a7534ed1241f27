//! Search terms of an order, and the ranking of matches.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{forms, segment};

/// A searchable field of an order. The order of the variants is that of relevance: a match in a field ranks
/// before one in any later field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// The id of the order.
    OrderId,
    /// The e-mail address of the customer: the whole address, its local part, or its domain.
    Email,
    /// The id of the customer.
    CustomerId,
    /// The name of the customer.
    CustomerName,
    /// The total of the order, such as `12.50`.
    Total,
    /// The SKU of a product.
    Sku,
    /// The name of a product.
    ProductName,
}

impl Field {
    /// All fields, most relevant first.
    pub const ALL: [Self; 7] = [
        Self::OrderId,
        Self::Email,
        Self::CustomerId,
        Self::CustomerName,
        Self::Total,
        Self::Sku,
        Self::ProductName,
    ];

    /// The weight of the field in the ranking, 1 to 7.
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

    /// Returns the letter that represents the field in keys. Letters sort in the order of the fields.
    pub fn key_letter(self) -> char {
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

    /// Returns the field that a letter represents.
    pub fn from_key_letter(letter: char) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.key_letter() == letter)
    }
}

/// A word in a field of an order. It may be personal data, so `Debug` redacts it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Term {
    /// The field that contains the word.
    pub field: Field,
    /// The word, normalised by [`crate::text::words`], or one that [`crate::segment`] makes of several.
    pub word: String,
}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}(redacted)", self.field)
    }
}

/// The stored form: the letter of the field, then the word.
impl From<Term> for String {
    fn from(term: Term) -> Self {
        format!("{}{}", term.field.key_letter(), term.word)
    }
}

/// The error for a stored term that cannot be parsed.
#[derive(Debug, thiserror::Error)]
#[error("the term does not start with the letter of a field")]
pub struct ParseTermError;

impl TryFrom<String> for Term {
    type Error = ParseTermError;
    fn try_from(text: String) -> Result<Self, ParseTermError> {
        let mut letters = text.chars();
        let field = letters.next().and_then(Field::from_key_letter).ok_or(ParseTermError)?;
        Ok(Self { field, word: letters.as_str().to_owned() })
    }
}

/// A word of a query, or a part of one, in the forms ([`crate::forms`]) in which orders may be indexed by it. With
/// two or more characters a form matches every term that starts with it; a single character matches only a
/// term that equals it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryWord(Vec<String>);

impl fmt::Debug for QueryWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QueryWord(redacted)")
    }
}

impl QueryWord {
    /// Returns the distinct words of a query.
    pub fn parse_all(query: &str) -> BTreeSet<Self> {
        forms::parse(query).into_iter().map(Self).collect()
    }

    /// Returns the forms, the most usual first.
    pub fn forms(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Returns the score of `term`, or `None` if it matches no form. The weight of the field counts first;
    /// within a field, an exact match scores higher than a prefix match or a part of a word.
    pub fn score(&self, term: &Term) -> Option<u32> {
        let score = |form: &str| {
            let is_match = term.word == form || (is_prefix(form) && term.word.starts_with(form));
            let is_exact = term.word == form && !segment::is_gram(form);
            is_match.then(|| term.field.weight() * 2 + u32::from(is_exact))
        };
        self.forms().filter_map(score).max()
    }
}

/// Returns whether a form of a query word matches by prefix.
pub fn is_prefix(form: &str) -> bool {
    form.chars().nth(1).is_some()
}

/// A match of a query: its rank, and the fields that matched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Match {
    /// The sum of the best score of each word.
    pub rank: u32,
    /// All fields that any of the words matched in.
    pub fields: BTreeSet<Field>,
}

impl Match {
    /// Matches a query against the terms of an order. Returns `None` unless every word matches.
    pub fn find(words: &BTreeSet<QueryWord>, terms: &BTreeSet<Term>) -> Option<Self> {
        let mut result = Self::default();
        for word in words {
            let mut best = None;
            for term in terms {
                if let Some(score) = word.score(term) {
                    best = best.max(Some(score));
                    result.fields.insert(term.field);
                }
            }
            result.rank = result.rank.saturating_add(best?);
        }
        Some(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(of: &[(Field, &str)]) -> BTreeSet<Term> {
        of.iter().map(|(field, word)| Term { field: *field, word: (*word).to_owned() }).collect()
    }

    #[test]
    fn field_weight_precedes_exactness_and_every_word_must_match() {
        let rank = |query: &str, of: &[(Field, &str)]| {
            Match::find(&QueryWord::parse_all(query), &terms(of)).map(|found| found.rank)
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
    fn key_letters_are_distinct_and_sort_in_the_order_of_the_fields() {
        let letters: Vec<char> = Field::ALL.iter().map(|field| field.key_letter()).collect();
        assert!(letters.is_sorted() && Field::ALL.is_sorted());
        assert!(Field::ALL.is_sorted_by(|one, next| one.weight() > next.weight()));
        for field in Field::ALL {
            assert_eq!(Field::from_key_letter(field.key_letter()), Some(field));
        }
        let term = Term { field: Field::Sku, word: "tea-001".to_owned() };
        assert_eq!(Term::try_from(String::from(term.clone())).unwrap(), term);
        assert!(Term::try_from(String::new()).is_err() && Term::try_from("?x".to_owned()).is_err());
        assert!(!format!("{term:?}").contains("tea"));
    }
}
