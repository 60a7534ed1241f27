//! Formatting of amounts that may exceed the maximum amount of an order.

/// Formats minor units as a decimal number with `digits` decimal places.
pub fn format_decimal(minor_units: i128, digits: usize) -> String {
    let sign = if minor_units < 0 { "-" } else { "" };
    let text = format!("{:0>width$}", minor_units.unsigned_abs(), width = digits + 1);
    match text.split_at_checked(text.len().saturating_sub(digits)) {
        Some((units, fraction)) if digits > 0 => format!("{sign}{units}.{fraction}"),
        _ => format!("{sign}{text}"),
    }
}

/// Formats minor units for display, with thousands separators, such as `12,345.60`.
pub fn format_grouped(minor_units: i128, digits: usize) -> String {
    let number = format_decimal(minor_units, digits);
    let (sign, number) = number.strip_prefix('-').map_or(("", number.as_str()), |number| ("−", number));
    let (units, fraction) = number.find('.').map_or((number, ""), |at| number.split_at(at));
    let mut grouped = String::new();
    for (index, digit) in units.chars().enumerate() {
        if index > 0 && (units.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minor_units_are_formatted_as_a_decimal_number() {
        assert_eq!(format_decimal(1250, 2), "12.50");
        assert_eq!(format_decimal(5, 2), "0.05");
        assert_eq!(format_decimal(-5, 2), "-0.05");
        assert_eq!(format_decimal(0, 2), "0.00");
        assert_eq!(format_decimal(1250, 0), "1250");
        assert_eq!(format_decimal(1_234_567, 3), "1234.567");
    }
}
