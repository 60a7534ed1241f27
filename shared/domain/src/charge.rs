//! The amounts that the payment provider charges, as far as they can be known before it is asked.
//!
//! Source: <https://docs.stripe.com/currencies>. What depends on the account is left to the provider: the
//! currencies that it has enabled, and the minimum of an amount that it converts into its settlement currency.

use crate::money::Money;
use crate::reason::DeclineReason;

/// The minimum amounts in minor units. They are those of an account that settles in the currency; other
/// currencies have none of their own
/// (<https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts>).
const MIN_AMOUNTS: [(&str, u32); 31] = [
    ("AED", 200),
    ("ARS", 50),
    ("AUD", 50),
    ("BRL", 50),
    ("CAD", 50),
    ("CHF", 50),
    ("COP", 50),
    ("CZK", 1500),
    ("DKK", 250),
    ("EUR", 50),
    ("GBP", 30),
    ("HKD", 400),
    ("HUF", 17_500),
    ("IDR", 50),
    ("ILS", 50),
    ("INR", 50),
    ("JPY", 50),
    ("KRW", 50),
    ("MXN", 1000),
    ("MYR", 200),
    ("NOK", 300),
    ("NZD", 50),
    ("PHP", 50),
    ("PLN", 200),
    ("RON", 200),
    ("RUB", 50),
    ("SEK", 300),
    ("SGD", 50),
    ("THB", 1000),
    ("USD", 50),
    ("ZAR", 50),
];

/// The reason why the provider does not charge an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotChargeable {
    /// The provider does not charge in the currency, or counts its minor units in another way than ISO 4217.
    #[error("the total must be 0 or in a currency that the payment provider charges, which {} is not", .0.currency.code())]
    Currency(Money),
    /// The provider does not charge the last decimal place.
    #[error("the total must be a multiple of {step}, is {amount}")]
    Fraction {
        /// The total of the order.
        amount: Money,
        /// The smallest amount that the provider counts in.
        step: Money,
    },
    /// The amount is below the minimum.
    #[error("the total must be 0 or at least {min}, is {amount}")]
    TooSmall {
        /// The total of the order.
        amount: Money,
        /// The minimum of the currency.
        min: Money,
    },
}

impl NotChargeable {
    /// Returns the reason as the provider would give it.
    pub fn to_decline_reason(&self) -> DeclineReason {
        DeclineReason::from_code(match self {
            Self::Currency(_) => DeclineReason::CURRENCY_NOT_SUPPORTED,
            Self::Fraction { .. } => DeclineReason::AMOUNT_NOT_SUPPORTED,
            Self::TooSmall { .. } => DeclineReason::AMOUNT_TOO_SMALL,
        })
    }
}

/// Checks the total of an order: 0, which is not charged, or an amount that the provider charges.
///
/// # Errors
/// The same as those of [`check_charge`].
pub fn check_total(total: Money) -> Result<(), NotChargeable> {
    if total.is_zero() { Ok(()) } else { check_charge(total) }
}

/// Checks whether the provider charges an amount. No check of the maximum is necessary:
/// [`crate::money::MAX_AMOUNT`] is the lowest that it documents.
///
/// # Errors
/// The first reason why the provider does not charge it, in the order of [`NotChargeable`].
pub fn check_charge(amount: Money) -> Result<(), NotChargeable> {
    let step = amount.of_same_currency(step(amount).ok_or(NotChargeable::Currency(amount))?);
    if !amount.minor_units().is_multiple_of(step.minor_units()) {
        return Err(NotChargeable::Fraction { amount, step });
    }
    let code = amount.currency.code();
    let min = MIN_AMOUNTS
        .iter()
        .find(|(known, _)| *known == code)
        .map_or(step, |(_, min)| amount.of_same_currency(*min));
    if amount.minor_units() < min.minor_units() {
        return Err(NotChargeable::TooSmall { amount, min });
    }
    Ok(())
}

/// Returns the multiple of minor units that the provider charges; `None` if it does not charge the currency.
///
/// The provider takes the Malagasy ariary as a zero-decimal currency, and the Icelandic króna and the Ugandan
/// shilling as two-decimal ones, unlike ISO 4217: it would charge another sum. Of the three-decimal currencies
/// it charges five, without the last digit (<https://docs.stripe.com/currencies#special-cases>).
fn step(amount: Money) -> Option<u32> {
    let currency = amount.currency;
    match (currency.code(), currency.decimal_places()) {
        ("MGA" | "ISK" | "UGX", _) => None,
        ("BHD" | "JOD" | "KWD" | "OMR" | "TND", _) => Some(10),
        (_, 0 | 2) if currency.has_minor_unit() => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::money::MAX_AMOUNT;

    fn money(amount: u32, code: &str) -> Money {
        serde_json::from_value(json!({"amount": amount, "currency": code})).unwrap()
    }

    fn error(amount: u32, code: &str) -> String {
        check_total(money(amount, code)).unwrap_err().to_string()
    }

    #[test]
    fn an_error_names_the_least_amount() {
        assert_eq!(error(49, "EUR"), "the total must be 0 or at least 0.50 EUR, is 0.49 EUR");
        assert_eq!(error(49, "JPY"), "the total must be 0 or at least 50 JPY, is 49 JPY");
        assert_eq!(error(999, "MXN"), "the total must be 0 or at least 10.00 MXN, is 9.99 MXN");
        assert_eq!(error(1251, "KWD"), "the total must be a multiple of 0.010 KWD, is 1.251 KWD");
        let currency = error(500, "ISK");
        assert!(currency.starts_with("the total must be 0 or in a currency that"), "{currency}");
        assert!(currency.ends_with("which ISK is not"), "{currency}");
    }

    #[test]
    fn currencies_that_the_provider_counts_differently_or_does_not_charge_are_refused() {
        for code in ["MGA", "ISK", "UGX", "IQD", "LYD", "CLF", "UYW", "XAU", "XTS", "XXX"] {
            assert_eq!(
                check_charge(money(5000, code)),
                Err(NotChargeable::Currency(money(5000, code))),
                "{code}"
            );
            assert_eq!(check_total(money(0, code)), Ok(()), "{code}: nothing is charged");
        }
        for (amount, code) in [(10, "KWD"), (1, "VND"), (1, "BGN"), (50, "KRW"), (MAX_AMOUNT, "IDR")] {
            assert_eq!(check_charge(money(amount, code)), Ok(()), "{amount} {code}");
        }
    }

    #[test]
    fn each_minimum_is_charged_and_one_unit_less_is_not() {
        for (code, min) in MIN_AMOUNTS {
            assert_eq!(check_charge(money(min, code)), Ok(()), "{code}");
            let (amount, min) = (money(min - 1, code), money(min, code));
            assert_eq!(check_charge(amount), Err(NotChargeable::TooSmall { amount, min }), "{code}");
        }
    }

    proptest! {
        #[test]
        fn a_refused_amount_says_what_would_be_charged(
            amount in prop_oneof![0..=2000_u32, 0..=MAX_AMOUNT],
            code in prop::sample::select(vec!["EUR", "GBP", "JPY", "HUF", "KWD", "TND", "VND", "BGN", "ISK"]),
        ) {
            let amount = money(amount, code);
            prop_assert_eq!(check_total(amount).is_ok(), amount.is_zero() || check_charge(amount).is_ok());
            match check_charge(amount) {
                Ok(()) => prop_assert!(!amount.is_zero()),
                Err(NotChargeable::Currency(_)) => prop_assert_eq!(code, "ISK"),
                Err(NotChargeable::Fraction { step, .. }) => {
                    prop_assert!(!amount.minor_units().is_multiple_of(step.minor_units()));
                }
                Err(NotChargeable::TooSmall { min, .. }) => {
                    prop_assert!(amount.minor_units() < min.minor_units());
                    prop_assert_eq!(check_charge(min), Ok(()));
                }
            }
        }
    }
}
