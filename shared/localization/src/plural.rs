//! The plural forms of whole numbers, by the rules of CLDR 45
//! (<https://www.unicode.org/cldr/charts/45/supplemental/language_plural_rules.html>).
//!
//! The rules of four languages are four lines. `intl_pluralrules` and `icu_plurals` have those of all
//! languages, and bring locale identifiers, the operands of decimal fractions and data that no text needs.

use crate::Language;

/// The form that a noun has after a number. Of the six categories of CLDR, these are the ones that the
/// languages have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluralCategory {
    /// The singular: 1 in English and German, 0 and 1 in French.
    One,
    /// Whole millions in French, which require "de" before the noun: "2 000 000 de pièces".
    Many,
    /// The plural, and the only form in Japanese.
    Other,
}

impl Language {
    /// Returns the form of a noun after `number`.
    pub fn plural_category(self, number: u32) -> PluralCategory {
        match (self, number) {
            (Self::English | Self::German, 1) | (Self::French, 0 | 1) => PluralCategory::One,
            (Self::French, number) if number.is_multiple_of(1_000_000) => PluralCategory::Many,
            (Self::English | Self::German | Self::French | Self::Japanese, _) => PluralCategory::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Samples = &'static [(PluralCategory, &'static [u32])];

    /// The samples that CLDR gives for each category.
    #[test]
    fn the_samples_of_cldr_are_in_their_categories() {
        use PluralCategory::{Many, One, Other};
        let samples: [(Language, Samples); 4] = [
            (Language::English, &[(One, &[1]), (Other, &[0, 2, 16, 100, 1000, 10_000, 100_000, 1_000_000])]),
            (Language::German, &[(One, &[1]), (Other, &[0, 2, 16, 100, 1000, 10_000, 100_000, 1_000_000])]),
            (
                Language::French,
                &[
                    (One, &[0, 1]),
                    (Many, &[1_000_000, 2_000_000, 3_000_000]),
                    (Other, &[2, 17, 21, 101, 1000, 10_000, 100_000, 1_000_001]),
                ],
            ),
            (Language::Japanese, &[(Other, &[0, 1, 2, 15, 100, 1000, 1_000_000])]),
        ];
        for (language, categories) in samples {
            for (category, numbers) in categories {
                for number in *numbers {
                    assert_eq!(language.plural_category(*number), *category, "{language:?} {number}");
                }
            }
        }
    }
}
