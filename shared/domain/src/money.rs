//! Money: an integer number of minor units and an ISO 4217 currency, with checked arithmetic.

use std::fmt;

use iso_currency::Currency as Iso;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::InvalidText;

/// The maximum amount: eight digits of minor units, which is the most that Stripe charges at once
/// (<https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts>).
pub const MAX_AMOUNT: u32 = 99_999_999;

/// An amount in minor units, 0 to [`MAX_AMOUNT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "i64", into = "i64")]
#[schemars(with = "u32", extend("maximum" = MAX_AMOUNT))]
pub struct Amount(u32);

impl TryFrom<i64> for Amount {
    type Error = InvalidText;
    fn try_from(minor_units: i64) -> Result<Self, Self::Error> {
        u32::try_from(minor_units)
            .ok()
            .filter(|units| *units <= MAX_AMOUNT)
            .map(Self)
            .ok_or_else(|| InvalidText(format!("must be 0 to {MAX_AMOUNT} minor units, is {minor_units}")))
    }
}

impl From<Amount> for i64 {
    fn from(amount: Amount) -> Self {
        Self::from(amount.0)
    }
}

/// A rate of value-added tax in basis points (hundredths of a percent): 1900 is 19 %. 0 to 10000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "i64", into = "u16")]
#[schemars(with = "u16", extend("minimum" = 0, "maximum" = 10_000))]
pub struct TaxRate(u16);

impl TaxRate {
    /// The zero rate.
    pub const ZERO: Self = Self(0);

    /// Returns the rate in basis points (hundredths of a percent).
    pub fn basis_points(self) -> u16 {
        self.0
    }

    /// Parses a percentage such as `19`, `5.5` or `5,5`.
    ///
    /// # Errors
    /// When the text is not a number from 0 to 100 with at most two decimal places.
    pub fn from_percent(text: &str) -> Result<Self, InvalidText> {
        decimal(text, 2, ".,").and_then(|rate| Self::try_from(rate).ok()).ok_or_else(|| {
            InvalidText("must be 0 to 100 percent with at most two decimal places, such as 19 or 5.5".into())
        })
    }

    /// Returns the tax included in a price of `gross` minor units, rounded half up.
    pub fn tax_included_in(self, gross: u32) -> u32 {
        let (gross, rate) = (u64::from(gross), u64::from(self.0));
        let tax = (2 * gross * rate + 10_000 + rate) / (2 * (10_000 + rate));
        u32::try_from(tax).unwrap_or(u32::MAX)
    }
}

impl TryFrom<i64> for TaxRate {
    type Error = InvalidText;
    fn try_from(basis_points: i64) -> Result<Self, Self::Error> {
        u16::try_from(basis_points).ok().filter(|rate| *rate <= 10_000).map(Self).ok_or_else(|| {
            InvalidText(format!("must be 0 to 10000 hundredths of a percent, is {basis_points}"))
        })
    }
}

impl From<TaxRate> for u16 {
    fn from(rate: TaxRate) -> Self {
        rate.0
    }
}

/// An ISO 4217 currency, written as its code of three capital letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("enum" = codes()))]
pub struct Currency(Iso);

impl Currency {
    /// Returns the code of three letters.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Returns the number of decimal places of an amount: 2 for EUR, 0 for JPY, 3 for KWD.
    pub fn decimal_places(self) -> usize {
        usize::from(self.0.exponent().unwrap_or(0))
    }

    /// Returns whether ISO 4217 gives it a minor unit. Gold, the units of bond markets and the codes for tests
    /// have none.
    pub fn has_minor_unit(self) -> bool {
        self.0.exponent().is_some()
    }
}

/// Parses a decimal number without sign, exponent or grouping, such as `12.5`, as an integer scaled by
/// 10^`places`. `separators` holds the characters that are accepted as the decimal separator.
fn decimal(text: &str, places: usize, separators: &str) -> Option<i64> {
    let (whole, fraction) = match text.split_once(|c| separators.contains(c)) {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (text, ""),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = (1..=12).contains(&whole.len()) && fraction.len() <= places;
    if !fits || !digits(whole) || !digits(fraction) {
        return None;
    }
    format!("{whole}{fraction:0<places$}").parse().ok()
}

/// Returns the codes of all currencies, for schemas. It tries every combination of three letters, which is
/// slow but never runs in a Lambda function.
fn codes() -> Vec<&'static str> {
    let letters = || 'A'..='Z';
    letters()
        .flat_map(|a| letters().flat_map(move |b| letters().map(move |c| String::from_iter([a, b, c]))))
        .filter_map(|code| Some(Iso::from_code(&code)?.code()))
        .collect()
}

impl TryFrom<String> for Currency {
    type Error = InvalidText;
    fn try_from(code: String) -> Result<Self, Self::Error> {
        Iso::from_code(&code).map(Self).ok_or_else(|| {
            InvalidText("must be an ISO 4217 currency code in capital letters, such as EUR".into())
        })
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> String {
        currency.code().to_owned()
    }
}

/// An amount of money in a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Money {
    /// The amount in the minor unit of the currency: cents for EUR, yen for JPY.
    pub amount: Amount,
    /// The currency of the amount.
    pub currency: Currency,
}

/// An error of arithmetic with money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Amounts in different currencies cannot be added.
    #[error("all prices must be in one currency: {0} and {1} are mixed")]
    CurrencyMismatch(&'static str, &'static str),
    /// The result would exceed [`MAX_AMOUNT`].
    #[error("the total must be at most {MAX_AMOUNT} minor units")]
    TooLarge,
}

impl Money {
    /// Returns the amount in minor units.
    pub fn minor_units(self) -> u32 {
        self.amount.0
    }

    /// Returns whether the amount is 0.
    pub fn is_zero(self) -> bool {
        self.amount.0 == 0
    }

    /// Parses an amount in the major unit of the currency, such as `12.50`, in the format that `Display`
    /// writes. A decimal comma is accepted as well, except for currencies with three decimal places: there it
    /// could be a thousands separator.
    ///
    /// # Errors
    /// When the text is not such a number, has more decimal places than the currency, or exceeds
    /// [`MAX_AMOUNT`].
    pub fn from_decimal(text: &str, currency: Currency) -> Result<Self, InvalidText> {
        let places = usize::from(currency.0.exponent().unwrap_or(0));
        let separators = if places == 3 { "." } else { ".," };
        let amount = decimal(text, places, separators).and_then(|units| Amount::try_from(units).ok());
        amount.map(|amount| Self { amount, currency }).ok_or_else(|| {
            let max = Self { amount: Amount(MAX_AMOUNT), currency };
            InvalidText(format!(
                "must be 0 to {max}, in digits with at most {places} decimal places after a point and no other characters"
            ))
        })
    }

    /// Returns `self × quantity`.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`] when the product exceeds [`MAX_AMOUNT`].
    pub fn checked_mul(self, quantity: u32) -> Result<Self, MoneyError> {
        self.with_minor_units(self.amount.0.checked_mul(quantity))
    }

    /// Returns `self + other`.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`] when the currencies differ, [`MoneyError::TooLarge`] when the sum
    /// exceeds [`MAX_AMOUNT`].
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch(self.currency.code(), other.currency.code()));
        }
        self.with_minor_units(self.amount.0.checked_add(other.amount.0))
    }

    /// Returns `minor_units` in the same currency; at most [`MAX_AMOUNT`].
    pub(crate) fn of_same_currency(self, minor_units: u32) -> Self {
        Self { amount: Amount(minor_units.min(MAX_AMOUNT)), currency: self.currency }
    }

    fn with_minor_units(self, units: Option<u32>) -> Result<Self, MoneyError> {
        units
            .filter(|units| *units <= MAX_AMOUNT)
            .map(|units| Self { amount: Amount(units), currency: self.currency })
            .ok_or(MoneyError::TooLarge)
    }
}

/// Writes the amount in the major unit, followed by the code: `12.50 EUR`, `1250 JPY`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = format_decimal(self.amount.0.into(), self.currency.decimal_places(), '.', None);
        write!(f, "{number} {}", self.currency.code())
    }
}

/// Formats an amount of minor units, which may be negative or above [`MAX_AMOUNT`], in the major unit: `digits` is the
/// number of decimal places, and `separator` is written between groups of three digits.
pub fn format_decimal(minor_units: i128, digits: usize, point: char, separator: Option<char>) -> String {
    // There is at least one digit before the decimal point.
    let text = format!("{:0width$}", minor_units.unsigned_abs(), width = digits.saturating_add(1));
    let (whole, fraction) = text.split_at(text.len().saturating_sub(digits));
    let mut number = String::from(if minor_units < 0 { "-" } else { "" });
    for (index, digit) in whole.char_indices() {
        if index > 0 && whole.len().saturating_sub(index).is_multiple_of(3) {
            number.extend(separator);
        }
        number.push(digit);
    }
    if digits > 0 {
        number.push(point);
        number.push_str(fraction);
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn money(amount: i64, code: &str) -> Money {
        serde_json::from_value(serde_json::json!({"amount": amount, "currency": code})).unwrap()
    }

    #[test]
    fn display_writes_the_major_unit_and_the_code() {
        assert_eq!(money(1250, "EUR").to_string(), "12.50 EUR");
        assert_eq!(money(5, "EUR").to_string(), "0.05 EUR");
        assert_eq!(money(1250, "JPY").to_string(), "1250 JPY");
        assert_eq!(money(1250, "KWD").to_string(), "1.250 KWD");
    }

    #[test]
    fn minor_units_are_formatted_as_a_decimal_number() {
        let plain = |minor_units, digits| format_decimal(minor_units, digits, '.', None);
        assert_eq!(plain(1250, 2), "12.50");
        assert_eq!(plain(5, 2), "0.05");
        assert_eq!(plain(-5, 2), "-0.05");
        assert_eq!(plain(0, 2), "0.00");
        assert_eq!(plain(1250, 0), "1250");
        assert_eq!(plain(1_234_567, 3), "1234.567");
        assert_eq!(format_decimal(-123_456_789, 2, ',', Some('.')), "-1.234.567,89");
        assert_eq!(format_decimal(123_456, 0, '.', Some(',')), "123,456");
    }

    #[test]
    fn decimal_amounts_and_percentages_are_parsed_strictly() {
        let read = |text: &str, code: &str| {
            let currency = Currency::try_from(code.to_owned()).unwrap();
            Money::from_decimal(text, currency).ok().map(Money::minor_units)
        };
        for (text, code, units) in [
            ("12.50", "EUR", Some(1250)),
            ("12,5", "EUR", Some(1250)),
            ("12", "EUR", Some(1200)),
            ("0.05", "EUR", Some(5)),
            ("999999.99", "EUR", Some(MAX_AMOUNT)),
            ("1000000", "EUR", None),
            ("1,250", "EUR", None),
            ("1.250,00", "EUR", None),
            ("12.505", "EUR", None),
            ("-1", "EUR", None),
            ("+1", "EUR", None),
            ("1e3", "EUR", None),
            (" 1", "EUR", None),
            ("1.", "EUR", None),
            (".5", "EUR", None),
            ("", "EUR", None),
            ("NaN", "EUR", None),
            ("١٢", "EUR", None),
            ("99999999999999999999", "EUR", None),
            ("1250", "JPY", Some(1250)),
            ("1250.0", "JPY", None),
            ("1.250", "KWD", Some(1250)),
            ("1,250", "KWD", None),
        ] {
            assert_eq!(read(text, code), units, "{text} {code}");
        }
        let percent = |text: &str| TaxRate::from_percent(text).ok().map(TaxRate::basis_points);
        for (text, rate) in [("19", Some(1900)), ("5,5", Some(550)), ("0", Some(0)), ("100", Some(10_000))] {
            assert_eq!(percent(text), rate, "{text}");
        }
        for bad in ["100.01", "19%", "-1", "0.001", ""] {
            assert_eq!(percent(bad), None, "{bad}");
        }
    }

    #[test]
    fn tax_is_included_in_the_price() {
        let rate = |basis_points: i64| TaxRate::try_from(basis_points).unwrap();
        assert_eq!(rate(1900).tax_included_in(11_900), 1_900);
        assert_eq!(rate(1900).tax_included_in(100), 16); // 15.966
        assert_eq!(rate(700).tax_included_in(107), 7);
        assert_eq!(rate(10_000).tax_included_in(1), 1); // 0.5
        assert_eq!(TaxRate::ZERO.tax_included_in(MAX_AMOUNT), 0);
        assert!(TaxRate::try_from(-1).is_err() && TaxRate::try_from(10_001).is_err());
    }

    #[test]
    fn a_tax_rate_is_stored_in_basis_points() {
        let json = serde_json::to_value(TaxRate::from_percent("5.5").unwrap()).unwrap();
        assert_eq!(json, serde_json::json!(550));
        assert_eq!(serde_json::from_value::<TaxRate>(json).unwrap().basis_points(), 550);
    }

    #[test]
    fn the_schema_lists_every_currency() {
        let schema = schemars::schema_for!(Currency);
        let codes = schema.get("enum").and_then(serde_json::Value::as_array).unwrap();
        for code in codes {
            assert!(serde_json::from_value::<Currency>(code.clone()).is_ok(), "{code}");
        }
        for code in ["AED", "EUR", "JPY", "KWD", "ZWL"] {
            assert!(codes.contains(&code.into()), "{code}");
        }
    }

    #[test]
    fn invalid_money_is_rejected() {
        for bad in [
            r#"{"amount":-1,"currency":"EUR"}"#,
            r#"{"amount":100000000,"currency":"EUR"}"#,
            r#"{"amount":1.5,"currency":"EUR"}"#,
            r#"{"amount":1,"currency":"eur"}"#,
            r#"{"amount":1,"currency":"ZZZ"}"#,
        ] {
            assert!(serde_json::from_str::<Money>(bad).is_err(), "{bad}");
        }
        assert!(matches!(
            money(1, "EUR").checked_add(money(1, "USD")),
            Err(MoneyError::CurrencyMismatch("EUR", "USD"))
        ));
    }

    proptest! {
        #[test]
        fn display_and_from_decimal_round_trip(units in 0..=MAX_AMOUNT, code in prop::sample::select(vec!["EUR", "JPY", "KWD"])) {
            let sum = money(units.into(), code);
            let shown = sum.to_string();
            let text = shown.split(' ').next().unwrap();
            prop_assert_eq!(Money::from_decimal(text, sum.currency), Ok(sum));
        }

        #[test]
        fn arithmetic_is_exact_or_fails(a in 0..=MAX_AMOUNT, b in 0..=MAX_AMOUNT, quantity in any::<u32>()) {
            let (x, y) = (money(a.into(), "EUR"), money(b.into(), "EUR"));
            let sum = u64::from(a) + u64::from(b);
            prop_assert_eq!(x.checked_add(y).ok().map(|m| u64::from(m.minor_units())), (sum <= u64::from(MAX_AMOUNT)).then_some(sum));
            let product = u64::from(a) * u64::from(quantity);
            prop_assert_eq!(x.checked_mul(quantity).ok().map(|m| u64::from(m.minor_units())), (product <= u64::from(MAX_AMOUNT)).then_some(product));
        }
    }
}
