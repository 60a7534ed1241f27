//! Amounts of reports, which may be negative or above the maximum of an order.

use domain::money::format_decimal;

use super::figures::Unit;

/// Formats minor units for display, with thousands separators, such as `−12,345.60`.
pub(super) fn format_grouped(minor_units: i128, digits: usize) -> String {
    format_decimal(minor_units, digits, '.', Some(',')).replacen('-', "−", 1)
}

/// Formats an amount with its currency, such as `12,345.60 EUR`.
pub(super) fn format_amount(minor_units: i128, unit: Unit) -> String {
    format!("{} {}", format_grouped(minor_units, unit.digits), unit.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_grouped_by_thousands() {
        let euro = Unit { code: "EUR", digits: 2 };
        assert_eq!(format_amount(0, euro), "0.00 EUR");
        assert_eq!(format_amount(123_456_789, euro), "1,234,567.89 EUR");
        assert_eq!(format_amount(-100_000, euro), "−1,000.00 EUR");
        assert_eq!(format_amount(999, Unit { code: "JPY", digits: 0 }), "999 JPY");
    }
}
