//! The languages of documents and emails, and how each writes amounts, dates, rates and plurals.
//!
//! There are four languages, and English for all others. The formats are those of CLDR 45
//! (<https://cldr.unicode.org>), as the tests check; `icu` would add megabytes of data for the same result.
//! Only currency symbols that are unambiguous are used: `$` is the dollar of twenty countries, so the code
//! `USD` is used instead.

mod plural;

use domain::{Money, TaxRate};
use jiff::civil::Date;
use strum::IntoStaticStr;

pub use plural::PluralCategory;

/// A language of documents and emails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Language {
    #[strum(serialize = "en")]
    English,
    #[strum(serialize = "de")]
    German,
    #[strum(serialize = "fr")]
    French,
    #[strum(serialize = "ja")]
    Japanese,
}

const NO_BREAK_SPACE: &str = "\u{a0}";
/// The group separator in French, and the space before a percent sign.
const NARROW_NO_BREAK_SPACE: char = '\u{202f}';

impl Language {
    /// All languages, English first.
    pub const ALL: [Self; 4] = [Self::English, Self::German, Self::French, Self::Japanese];

    /// Returns the customer's preferred language if it is available, and English otherwise.
    pub fn from_preference(preference: Option<&domain::Language>) -> Self {
        let is_preferred = |language: &Self| preference.is_some_and(|code| code.as_str() == language.code());
        Self::ALL.into_iter().find(is_preferred).unwrap_or(Self::English)
    }

    /// Returns the language code (ISO 639-1).
    pub fn code(self) -> &'static str {
        self.into()
    }

    /// Returns the base direction of its text, as the value of the HTML attribute `dir`.
    pub fn direction(self) -> &'static str {
        match self {
            Self::English | Self::German | Self::French | Self::Japanese => "ltr",
        }
    }

    /// Formats a date. English spells out the month, so that it cannot be mistaken for the day.
    pub fn format_date(self, date: Date) -> String {
        let (year, month, day) = (date.year(), date.month(), date.day());
        match self {
            Self::English => date.strftime("%-d %B %Y").to_string(),
            Self::German => format!("{day:02}.{month:02}.{year}"),
            Self::French => format!("{day:02}/{month:02}/{year}"),
            Self::Japanese => format!("{year}年{month}月{day}日"),
        }
    }

    /// Formats an amount of money.
    pub fn format_money(self, money: Money) -> String {
        self.format_minor_units(money.minor_units(), money)
    }

    /// Formats an amount of minor units in the currency of `currency_of`.
    pub fn format_minor_units(self, minor_units: u32, currency_of: Money) -> String {
        let number = self.format_decimal(minor_units, currency_of.currency.decimal_places());
        let code = currency_of.currency.code();
        let sign = match (code, self) {
            ("EUR", _) => Some("€"),
            ("GBP", Self::French) => None,
            ("GBP", _) => Some("£"),
            ("JPY", Self::English | Self::German) => Some("¥"),
            ("JPY", Self::Japanese) => Some("￥"),
            _ => None,
        };
        match (self, sign) {
            (Self::English | Self::Japanese, Some(sign)) => format!("{sign}{number}"),
            (Self::English | Self::Japanese, None) => format!("{code}{NO_BREAK_SPACE}{number}"),
            (Self::German | Self::French, sign) => {
                format!("{number}{NO_BREAK_SPACE}{}", sign.unwrap_or(code))
            }
        }
    }

    /// Formats a tax rate, without trailing zeros.
    pub fn format_rate(self, rate: TaxRate) -> String {
        let number = self.format_decimal(rate.basis_points().into(), 2);
        let number = number.trim_end_matches('0').trim_end_matches(self.decimal_separator());
        match self {
            Self::English | Self::Japanese => format!("{number}%"),
            Self::German => format!("{number}{NO_BREAK_SPACE}%"),
            Self::French => format!("{number}{NARROW_NO_BREAK_SPACE}%"),
        }
    }

    /// Formats a whole number.
    pub fn format_count(self, number: u32) -> String {
        self.format_decimal(number, 0)
    }

    fn decimal_separator(self) -> char {
        match self {
            Self::English | Self::Japanese => '.',
            Self::German | Self::French => ',',
        }
    }

    /// Formats a number of minor units with `digits` decimal places and group separators.
    fn format_decimal(self, units: u32, digits: usize) -> String {
        let group_separator = match self {
            Self::English | Self::Japanese => ',',
            Self::German => '.',
            Self::French => NARROW_NO_BREAK_SPACE,
        };
        domain::money::format_decimal(units.into(), digits, self.decimal_separator(), Some(group_separator))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::json;

    use super::*;

    fn money(amount: u32, currency: &str) -> Money {
        serde_json::from_value(json!({ "amount": amount, "currency": currency })).unwrap()
    }

    #[test]
    fn amounts_follow_cldr() {
        let formatted =
            |amount, currency| Language::ALL.map(|language| language.format_money(money(amount, currency)));
        assert_eq!(
            formatted(123_456, "EUR"),
            ["€1,234.56", "1.234,56\u{a0}€", "1\u{202f}234,56\u{a0}€", "€1,234.56"]
        );
        assert_eq!(formatted(5, "EUR"), ["€0.05", "0,05\u{a0}€", "0,05\u{a0}€", "€0.05"]);
        assert_eq!(formatted(1_234_567, "JPY")[0], "¥1,234,567");
        assert_eq!(formatted(1_234_567, "JPY")[3], "￥1,234,567");
        assert_eq!(formatted(1_234_567, "JPY")[2], "1\u{202f}234\u{202f}567\u{a0}JPY");
        assert_eq!(formatted(99_999_999, "KWD")[1], "99.999,999\u{a0}KWD");
        assert_eq!(formatted(99_999_999, "KWD")[0], "KWD\u{a0}99,999.999");
        assert_eq!(formatted(0, "KWD")[0], "KWD\u{a0}0.000");
        assert_eq!(formatted(1250, "USD")[0], "USD\u{a0}12.50");
        assert_eq!(formatted(100, "JPY")[0], "¥100");
    }

    #[test]
    fn dates_and_rates_follow_cldr() {
        let day = date(2026, 3, 4);
        assert_eq!(
            Language::ALL.map(|language| language.format_date(day)),
            ["4 March 2026", "04.03.2026", "04/03/2026", "2026年3月4日"]
        );
        let rates = |basis_points: i64| {
            Language::ALL.map(|t| t.format_rate(TaxRate::try_from(basis_points).unwrap()))
        };
        assert_eq!(rates(1900), ["19%", "19\u{a0}%", "19\u{202f}%", "19%"]);
        assert_eq!(rates(550), ["5.5%", "5,5\u{a0}%", "5,5\u{202f}%", "5.5%"]);
        assert_eq!(rates(25), ["0.25%", "0,25\u{a0}%", "0,25\u{202f}%", "0.25%"]);
        assert_eq!(rates(0)[0], "0%");
        assert_eq!(rates(10_000)[0], "100%");
    }

    #[test]
    fn other_languages_fall_back_to_english() {
        let language = |code: &str| Language::from_preference(Some(&code.parse().unwrap()));
        assert_eq!(
            (language("de"), language("ja"), language("xx")),
            (Language::German, Language::Japanese, Language::English)
        );
        assert_eq!(Language::from_preference(None), Language::English);
    }
}
