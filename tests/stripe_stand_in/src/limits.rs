//! Stripe's minimum and maximum amounts, and the currencies whose amounts are special:
//! <https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts>,
//! <https://docs.stripe.com/currencies#special-cases>.

use iso_currency::Currency;

use crate::error::{Result, StripeError};

/// The maximum amount, in the minor unit: eight digits, the lowest that Stripe documents. Some cards and
/// currencies have more.
pub const MAX_AMOUNT: u64 = 99_999_999;

/// The minimum amounts that Stripe documents, in the minor unit. With a real account they depend on the
/// settlement currency.
const MIN_AMOUNTS: &[(&str, u64)] = &[
    ("aed", 200),
    ("ars", 50),
    ("aud", 50),
    ("brl", 50),
    ("cad", 50),
    ("chf", 50),
    ("cop", 50),
    ("czk", 1500),
    ("dkk", 250),
    ("eur", 50),
    ("gbp", 30),
    ("hkd", 400),
    ("huf", 17500),
    ("idr", 50),
    ("ils", 50),
    ("inr", 50),
    ("jpy", 50),
    ("krw", 50),
    ("mxn", 1000),
    ("myr", 200),
    ("nok", 300),
    ("nzd", 50),
    ("php", 50),
    ("pln", 200),
    ("ron", 200),
    ("rub", 50),
    ("sek", 300),
    ("sgd", 50),
    ("thb", 1000),
    ("usd", 50),
    ("zar", 50),
];

/// The multiples in which the amounts of these currencies have to be, in the unit of the API: three-decimal
/// currencies end in 0, and two currencies have no decimals although the API has two for them.
const STEPS: &[(&str, u64)] =
    &[("bhd", 10), ("isk", 100), ("jod", 10), ("kwd", 10), ("omr", 10), ("tnd", 10), ("ugx", 100)];

/// Parses a currency code; returns it in lower case.
///
/// # Errors
/// 400 when it is not an ISO 4217 code.
pub fn parse_currency(code: &str) -> Result<String> {
    if Currency::from_code(&code.to_ascii_uppercase()).is_none() {
        let message = format!("Invalid currency: {code}. It must be a three-letter ISO 4217 code.");
        return Err(StripeError::invalid(message).with_param("currency"));
    }
    Ok(code.to_ascii_lowercase())
}

/// Checks an amount against the limits of its currency.
///
/// # Errors
/// 400 when it is too small or too large, or has digits that the currency does not have.
pub fn check_amount(amount: u64, currency: &str) -> Result<()> {
    let min = MIN_AMOUNTS.iter().find(|(code, _)| *code == currency).map_or(1, |(_, min)| *min);
    if amount < min {
        let message = format!("Amount must be at least {}", display_amount(min, currency));
        return Err(StripeError::invalid(message).with_code("amount_too_small").with_param("amount"));
    }
    if amount > MAX_AMOUNT {
        let message = format!("Amount must be no more than {}", display_amount(MAX_AMOUNT, currency));
        return Err(StripeError::invalid(message).with_code("amount_too_large").with_param("amount"));
    }
    let step = STEPS.iter().find(|(code, _)| *code == currency).map_or(1, |(_, step)| *step);
    if !amount.is_multiple_of(step) {
        let message = format!("Invalid amount: {amount}. In {currency}, it must be divisible by {step}.");
        return Err(StripeError::invalid(message).with_param("amount"));
    }
    Ok(())
}

/// Formats an amount in minor units for display: `12.50 eur`, `500 jpy`.
pub fn display_amount(amount: u64, currency: &str) -> String {
    let exponent =
        Currency::from_code(&currency.to_ascii_uppercase()).and_then(Currency::exponent).unwrap_or(0);
    let unit = 10_u64.pow(u32::from(exponent));
    if unit == 1 {
        return format!("{amount} {currency}");
    }
    format!("{}.{:0width$} {currency}", amount / unit, amount % unit, width = usize::from(exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_currency_has_a_minimum_and_a_maximum() {
        assert!(check_amount(50, "eur").is_ok());
        assert_eq!(check_amount(49, "eur").unwrap_err().code, Some("amount_too_small"));
        assert_eq!(check_amount(249, "dkk").unwrap_err().message, "Amount must be at least 2.50 dkk");
        assert!(check_amount(MAX_AMOUNT, "usd").is_ok());
        assert_eq!(check_amount(MAX_AMOUNT + 1, "usd").unwrap_err().code, Some("amount_too_large"));
    }

    #[test]
    fn some_currencies_have_fewer_digits_than_the_api() {
        for (amount, currency) in [(1250, "kwd"), (500, "isk"), (500, "ugx"), (5, "vnd")] {
            assert!(check_amount(amount, currency).is_ok(), "{amount} {currency}");
        }
        for (amount, currency) in [(1251, "kwd"), (5, "tnd"), (550, "isk"), (5, "ugx")] {
            let error = check_amount(amount, currency).unwrap_err();
            assert_eq!((error.code, error.param.as_deref()), (None, Some("amount")), "{amount} {currency}");
        }
    }

    #[test]
    fn amounts_are_displayed_with_the_decimals_of_their_currency() {
        assert_eq!(display_amount(1250, "eur"), "12.50 eur");
        assert_eq!(display_amount(5, "usd"), "0.05 usd");
        assert_eq!(display_amount(500, "jpy"), "500 jpy");
        assert_eq!(display_amount(1500, "kwd"), "1.500 kwd");
    }

    #[test]
    fn a_currency_is_an_iso_4217_code() {
        assert_eq!(parse_currency("EUR").unwrap(), "eur");
        assert_eq!(parse_currency("euro").unwrap_err().param.as_deref(), Some("currency"));
    }
}
